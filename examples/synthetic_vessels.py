"""Retinal vessel trees: two arcades and nasal trunks, branches grown into free territory, Murray's law.

All lengths are degrees of visual angle, all points (x, y) with the optic disc's centre as origin, x towards
the nose and y downwards: the right eye as a camera sees it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

FOVEA = np.array((-15.6, 1.6))  # the fovea lies temporal to the disc and a little below it
STEP = 0.2  # between two points of a branch
TIP_WIDTH = 0.055  # of a vein where it is lost among the capillaries
MURRAY = 3.0  # flow ~ width ** 3: C. D. Murray, PNAS 12:207-214, 1926, doi:10.1073/pnas.12.3.207
TIP_FLOW = 0.35  # flow at a tip, in units of what one degree of vessel gives to its capillaries
ARTERY_CALIBRE = 0.80  # arteries are thinner than the veins beside them
_RAPHE = np.array((FOVEA[1], -FOVEA[0]))  # normal, downwards, of the line that upper and lower vessels share
# corners of the trunks below the disc; above it they are mirrored
_ARCADE = (
    (0.3, 2.4),
    (-0.6, 5.0),
    (-3.6, 8.6),
    (-8.6, 11.6),
    (-15.0, 13.0),
    (-22.0, 12.8),
    (-29.0, 11.2),
    (-37.0, 8.5),
)
_NASAL = ((1.6, 2.2), (3.4, 5.4), (6.2, 9.5), (9.5, 15.0))
_MACULAR = ((-1.2, 0.6), (-3.4, 1.5), (-5.6, 2.3), (-8.4, 2.6))
_BARE = 2.3  # radius round the fovea without visible vessels


@dataclass(frozen=True)
class Vessel:
    """One branch of a tree.

    Attributes
    ----------
    points : ndarray, (n, 2) float64
        Centre line from the heart outwards, degrees from the disc's centre.
    width : ndarray, (n,) float64
        Diameter at each point, degrees.
    artery : bool
        An artery, or else a vein.
    """

    points: np.ndarray
    width: np.ndarray
    artery: bool


@dataclass
class _Branch:
    points: np.ndarray
    children: list[tuple[int, int]] = field(default_factory=list)  # (node here, branch)


def grow_vessels(rng: np.random.Generator, reach: float, tortuosity: float = 1.0) -> list[Vessel]:
    """Grow the arteries and veins of one retina.

    Each tree starts from its trunks. Then points far from every vessel are picked one by one and joined to
    the tree by a curve that leaves its parent at an acute angle. Veins and arteries take turns, so that they
    interleave; a branch never crosses its own tree but may cross the other.

    Parameters
    ----------
    rng : numpy.random.Generator
    reach : float
        Radius round the fovea to be supplied, degrees.
    tortuosity : float
        Size of the bends: 0 for none, 1 for an ordinary eye.

    Returns
    -------
    list of Vessel
    """
    veins, arteries = _Tree(reach), _Tree(reach)
    for tree, artery in ((veins, False), (arteries, True)):
        for corners, order in _trunks(rng, artery):
            tree.add(_wiggle(rng, _rounded(corners), tortuosity, trunk=True), order=order)
    twigs = int(0.19 * rng.uniform(0.75, 1.15) * reach**2)
    for _ in range(twigs):
        for tree, other in ((veins, arteries), (arteries, veins)):
            _grow_twig(rng, tree, other, tortuosity)
    calibre = TIP_WIDTH * rng.uniform(0.92, 1.1)
    return veins.vessels(rng, calibre, False) + arteries.vessels(rng, calibre * ARTERY_CALIBRE, True)


def _trunks(rng: np.random.Generator, artery: bool) -> list[tuple[np.ndarray, int]]:
    """Corners and order of the trunks: temporal arcades, nasal vessels, small macular ones."""
    arcade = np.array(_ARCADE) + (np.array((1.1, 0)) if artery else 0)
    middle = np.array((0.9 if artery else 0.4, 0.0)) + rng.normal(0, 0.2, 2)
    trunks = []
    for side in (-1, 1):
        root = middle + np.array((rng.normal(0, 0.2), side * rng.uniform(0.05, 0.4)))
        height = rng.uniform(0.78, 0.92) if artery else rng.uniform(0.92, 1.14)
        spread = rng.normal(0, 0.45, arcade.shape) * np.linspace(0.5, 2.2, len(arcade))[:, None]
        trunks.append((np.vstack((root, arcade * (1, side * height) + spread)), 0))
        nasal = np.array(_NASAL) * (1, side * rng.uniform(0.75, 1.25))
        trunks.append((np.vstack((root, nasal + rng.normal(0, 0.35, nasal.shape))), 0))
        if rng.uniform() < 0.75:
            macular = np.array(_MACULAR) * (1, side * rng.uniform(0.6, 1.5))
            macular[:, 1] -= 0.1 * macular[:, 0]  # the fovea lies below the disc
            start = middle + np.array((-0.6, side * 0.3))
            trunks.append((np.vstack((start, macular[: rng.integers(2, 5)])), 2))
    return trunks


def _rounded(corners: np.ndarray) -> np.ndarray:
    """Round a polyline into a curve by cutting its corners (Chaikin)."""
    for _ in range(4):
        first, last = corners[:-1], corners[1:]
        cut = np.stack((0.75 * first + 0.25 * last, 0.25 * first + 0.75 * last), 1)
        corners = np.vstack((corners[:1], cut.reshape(-1, 2), corners[-1:]))
    return _even(corners)


def _even(points: np.ndarray) -> np.ndarray:
    """Resample a curve to even steps of about STEP."""
    along = np.r_[0.0, np.cumsum(np.hypot(*np.diff(points, axis=0).T))]
    steps = np.linspace(0.0, along[-1], max(4, round(along[-1] / STEP) + 1))
    return np.stack([np.interp(steps, along, points[:, axis]) for axis in (0, 1)], 1)


def _tangents(points: np.ndarray) -> np.ndarray:
    slope = np.gradient(points, axis=0)
    return slope / np.maximum(np.hypot(slope[:, :1], slope[:, 1:]), 1e-9)


def _wiggle(rng: np.random.Generator, points: np.ndarray, size: float, trunk: bool = False) -> np.ndarray:
    """Bend a curve sideways by waves of several lengths, a trunk by long ones; its start stays in place."""
    wave = np.zeros(len(points))
    waves = ((9.0, 0.03), (5.0, 0.026), (2.6, 0.025), (1.4, 0.018))
    for length, share in waves[:2] if trunk else waves:
        sigma = length / STEP / 5
        noise = cv2.GaussianBlur(rng.normal(0, 1, (len(points), 1)), (0, 0), sigma)[:, 0]
        wave += share * length * np.clip(noise * np.sqrt(2 * sigma * np.sqrt(np.pi)), -2, 2)
    wave -= wave[0]
    wave *= size * np.minimum(1.0, np.arange(len(points)) * STEP / 1.5)
    tangent = _tangents(points)
    return _even(points + wave[:, None] * np.stack((-tangent[:, 1], tangent[:, 0]), 1))


class _Tree:
    """Branches of one kind with a map of the distance to the nearest of them."""

    _CELL = 0.25

    def __init__(self, reach: float) -> None:
        self.reach = reach
        self.branches: list[_Branch] = []
        self.points = np.zeros((0, 2))
        self.tangents = np.zeros((0, 2))
        self.owner = np.zeros((0, 3), int)  # (branch, node, branchings behind it) of each point
        side = int(2 * (reach + 4) / self._CELL)
        self._free = np.full((side, side), 255, np.uint8)
        self._gap = np.zeros((side, side), np.float32)

    def add(self, points: np.ndarray, order: int, parent: int | None = None, node: int = 0) -> None:
        """Add a trunk, or a branch that leaves ``parent`` at its point ``node``."""
        index = len(self.branches)
        self.branches.append(_Branch(points))
        if parent is not None:
            self.branches[parent].children.append((node, index))
        self.points = np.vstack((self.points, points))
        self.tangents = np.vstack((self.tangents, _tangents(points)))
        owner = [(index, corner, order) for corner in range(len(points))]
        self.owner = np.vstack((self.owner, np.array(owner)))
        cv2.polylines(self._free, [self._cells(points)[:, ::-1].astype(np.int32)], False, 0)
        self._gap = cv2.distanceTransform(self._free, cv2.DIST_L2, 3) * self._CELL

    def _cells(self, points: np.ndarray) -> np.ndarray:
        cells = ((points - FOVEA + self.reach + 4) / self._CELL).astype(int)
        return np.clip(cells[:, ::-1], 0, len(self._free) - 1)

    def gap(self, points: np.ndarray) -> np.ndarray:
        """Distance of each of (n, 2) points to the tree, degrees."""
        rows, columns = self._cells(points).T
        return self._gap[rows, columns]

    def vessels(self, rng: np.random.Generator, tip: float, artery: bool) -> list[Vessel]:
        """Give every branch its calibre: flow adds up from the tips, width is its cube root."""
        base = np.zeros(len(self.branches))
        vessels = []
        for index in range(len(self.branches) - 1, -1, -1):  # children come after their parents
            branch = self.branches[index]
            flow = TIP_FLOW + STEP * np.arange(len(branch.points))[::-1]
            for node, child in branch.children:
                flow[: node + 1] += base[child]
            base[index] = flow[0]
            width = tip * (flow / TIP_FLOW) ** (1 / MURRAY)
            ripple = cv2.GaussianBlur(rng.normal(0, 0.16, (len(width), 1)), (0, 0), 4)[:, 0]
            vessels.append(Vessel(branch.points, width * (1 + ripple), artery))
        return vessels[::-1]


def _grow_twig(rng: np.random.Generator, tree: _Tree, other: _Tree, tortuosity: float) -> None:
    """Join the loneliest of some random points to the tree, if a free way leads there."""
    target = _lonely_point(rng, tree, other)
    cost = _cost(tree, target)
    for _ in range(8):
        node = int(np.argmin(cost))
        if not np.isfinite(cost[node]):
            return
        path = _wiggle(rng, _leave(rng, tree.points[node], tree.tangents[node], target), tortuosity)
        if _is_free(tree, path):
            branch, corner, behind = map(int, tree.owner[node])
            tree.add(path, behind + 1, branch, corner)
            return
        cost[np.hypot(*(tree.points - tree.points[node]).T) < 1.0] = np.inf


def _lonely_point(rng: np.random.Generator, tree: _Tree, other: _Tree) -> np.ndarray:
    """Find a point far from both trees, rather in the macula, the best supplied part of the retina."""
    radius = tree.reach * np.sqrt(rng.uniform(0, 1, 80))
    turn = rng.uniform(0, 2 * np.pi, 80)
    points = FOVEA + np.stack((radius * np.cos(turn), radius * np.sin(turn)), 1)
    lonely = np.minimum(tree.gap(points), 1.5 * other.gap(points) + 0.3)
    lonely *= 1 + 0.5 * np.exp(-((radius / 9.0) ** 2))
    lonely[(radius < _BARE + 0.3) | (np.hypot(*points.T) < 5.0)] = 0
    return points[np.argmax(lonely)]


def _cost(tree: _Tree, target: np.ndarray) -> np.ndarray:
    """Cost of a branch from each point of the tree: length, turn, order, crossing the raphe."""
    away = target - tree.points
    distance = np.hypot(*away.T)
    cosine = (away * tree.tangents).sum(1) / np.maximum(distance, 1e-9)
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    order = tree.owner[:, 2]
    cost = distance * (1 + ((angle - 38) / 35) ** 2) * (1 + 0.15 * order)
    cost[(tree.points @ _RAPHE > 0) != (target @ _RAPHE > 0)] *= 1.7
    cost[(order > 1) & (distance > 5)] = np.inf
    cost[(angle < 12) | (angle > 100) | (distance < 0.8) | (np.hypot(*tree.points.T) < 3.2)] = np.inf
    return cost


def _leave(
    rng: np.random.Generator, start: np.ndarray, tangent: np.ndarray, target: np.ndarray
) -> np.ndarray:
    """Bezier curve that leaves a parent obliquely and arrives in the direction that vessels have there."""
    away = target - start
    length = np.hypot(*away)
    first = tangent + rng.uniform(0.7, 1.5) * away / length
    first /= np.hypot(*first)
    inward = FOVEA - target
    distance = np.hypot(*inward)
    natural = inward / distance if distance < 9 else target / np.hypot(*target)  # to the fovea, or outwards
    last = away / length + rng.uniform(0.2, 0.7) * natural
    last /= max(np.hypot(*last), 0.3)
    t = np.linspace(0, 1, max(5, int(length / STEP) + 1))[:, None]
    corner, other = start + first * length * 0.36, target - last * length * 0.3
    inner = 3 * (1 - t) ** 2 * t * corner + 3 * (1 - t) * t**2 * other
    return _even((1 - t) ** 3 * start + inner + t**3 * target)


def _is_free(tree: _Tree, path: np.ndarray) -> bool:
    """Tell whether a path keeps clear of its own tree, the fovea and the disc."""
    rest = path[min(len(path) - 1, round(1.4 / STEP)) :]
    clear = tree.gap(rest).min() > 0.45 and tree.gap(rest[-3:]).min() > 0.8
    return bool(clear and np.hypot(*(path - FOVEA).T).min() > _BARE and np.hypot(*path.T).min() > 3.0)
