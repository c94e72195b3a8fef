"""Other fields of view in the same image, as of the second eye or in a montage."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.disc import Disc, fit_disc, look_at_rim, sharpen_disc
from retinagan.runtime.retina.pieces import Gray, Mask, border_points, main_piece, opened
from retinagan.runtime.retina.search import agreement, thresholds
from retinagan.runtime.warnings import ImageWarning

_LEVELS = 5
_MOST = 8
"""Largest number of discs in one bright piece."""
_LEAST_AREA = 0.04
"""Share of the main disc's area: a smaller bright area beside it is no other eye."""
_LEAST_RADIUS = 0.25
"""Share of the main disc's radius: a smaller disc beside it is no other eye."""
_EQUAL = 0.9
"""Ratio of radii from which discs count as equally large."""
_NAMED = 3
"""Largest number of discs whose places a warning names."""


def other_fields(signal: Gray, disc: Disc) -> list[Disc]:
    """Find the fields of view beside a known one.

    Parameters
    ----------
    signal : (H, W) float32
        Grey levels, bright inside discs.
    disc : Disc
        The known field of view.

    Returns
    -------
    list of Disc
        Discs with at least 0.25 times its radius, the largest first.
    """
    rim = look_at_rim(signal, disc)
    level = rim.outside + max(8.0, 0.15 * (rim.inside - rim.outside))
    near = Disc(disc.center_x, disc.center_y, 1.06 * disc.radius).drawn(signal.shape)
    area = _LEAST_AREA * float(disc.drawn(signal.shape).sum())
    if np.count_nonzero((signal > level) & ~near) < area:
        return []
    found = fields_of_view(np.where(near, signal.min(), signal).astype(np.float32))
    return [other for other in found if other.radius >= _LEAST_RADIUS * disc.radius]


def fields_of_view(signal: Gray, *, touching: bool = False) -> list[Disc]:
    """Find all discs on a dark background, the largest first.

    Each is a separate, round, bright piece with a step to the dark along nearly all of its rim. With
    `touching`, discs that touch are separated.
    """
    largest = max(signal.shape)
    radii = (0.06 * largest, 0.5 * largest)
    found: list[Disc] = []
    for threshold in thresholds(signal)[:_LEVELS]:
        bright = opened(signal > threshold, 5)
        count, labels, statistics, _ = cv2.connectedComponentsWithStats(bright.view(np.uint8))
        for label in range(1, count):
            if _may_be_round(statistics[label], radii[0]):
                discs = _discs_of(main_piece(labels == label), signal, radii, most=_MOST if touching else 1)
                found += [disc for disc in discs if _is_new(disc, found)]
    return sorted(found, key=lambda disc: -disc.radius)


def main_first(discs: list[Disc]) -> list[Disc]:
    """Put the disc to segment first: the largest; of equally large ones the first in reading order.

    The others follow by their size, the largest first.
    """
    largest = max(disc.radius for disc in discs)
    equal = [disc for disc in discs if disc.radius >= _EQUAL * largest]
    top = min(disc.center_y for disc in equal)
    row = [disc for disc in equal if disc.center_y < top + largest]
    main = min(row, key=lambda disc: disc.center_x)
    return [main, *sorted((disc for disc in discs if disc is not main), key=lambda disc: -disc.radius)]


def several_warning(main: Disc, others: Sequence[Disc]) -> tuple[ImageWarning, ...]:
    """Say by their centres which field of view is segmented and which are not, if there are several."""
    if not others:
        return ()
    places = [_place(disc) for disc in others[:_NAMED]]
    if len(others) > _NAMED:
        places.append(f"{len(others) - _NAMED} more")
    message = (
        f"{1 + len(others)} fields of view found, 1 segmented: the one round {_place(main)}, "
        f"not {' and '.join(places)}; cut the picture so that each image shows one eye"
    )
    return (ImageWarning("several-fields-of-view", message),)


def _place(disc: Disc) -> str:
    return f"({round(disc.center_x)}, {round(disc.center_y)})"


def _discs_of(piece: Mask, signal: Gray, radii: tuple[float, float], most: int) -> list[Disc]:
    """Find up to `most` discs in a bright piece: one that fills it, or several, each removed in turn."""
    found: list[Disc] = []
    while len(found) < most:
        rough = fit_disc(border_points(piece), radii)
        if rough is None:
            break
        disc = sharpen_disc(signal, rough, radii)
        rim, drawn = look_at_rim(signal, disc), disc.drawn(signal.shape)
        filled = float((piece & drawn).sum() / max(1, drawn.sum()))
        if rim.contrast < 0.25 or rim.support < 0.8 or rim.visible < 0.5 or filled < 0.85:
            break
        if most == 1 and agreement(piece, drawn) < 0.85:
            break
        found.append(disc)
        beyond = ~Disc(disc.center_x, disc.center_y, 1.03 * disc.radius).drawn(signal.shape)
        piece = main_piece(opened(piece & beyond, 5))
        if np.count_nonzero(piece) < 2 * radii[0] ** 2:
            break
    return found


def _may_be_round(statistics: NDArray[np.int32], smallest_radius: float) -> bool:
    """Whether a piece, by its box and area, is worth a fit: not tiny, elongated or rectangular."""
    width, height = int(statistics[cv2.CC_STAT_WIDTH]), int(statistics[cv2.CC_STAT_HEIGHT])
    area = int(statistics[cv2.CC_STAT_AREA])
    large = area >= 2 * smallest_radius**2
    return large and max(width, height) <= 3 * min(width, height) and area <= 0.97 * width * height


def _is_new(disc: Disc, known: list[Disc]) -> bool:
    return all(
        np.hypot(disc.center_x - other.center_x, disc.center_y - other.center_y)
        > 0.7 * max(disc.radius, other.radius)
        for other in known
    )
