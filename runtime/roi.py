"""Find the retina in a fundus image: a threshold finds it, a circle fitted to its border makes it a disc.

A working copy with a long side of 512 pixels is cut at several thresholds between the margin's level and
the retina's. A circle is fitted to the border of each piece, leaving out what lies on the frame's edge.
The circle with the strongest step from bright to dark along its rim wins. Where no circle explains the
picture (the retina fills the frame, or its field is no disc), the bright region itself is the mask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .disc import Disc, Rim, fit_disc, look_at_rim, sharpen_disc
from .errors import ImageError, NoRetinaError

__all__ = ["SMALLEST_SIDE", "Disc", "Retina", "find_retina"]

SMALLEST_SIDE = 32
"""Images with a shorter side than this (pixels) are refused: no vessel could be seen in them."""

_WORKING_SIDE = 512
_THRESHOLDS = 12
_EXPECTED = "expected a fundus image: a bright retina, with or without a dark margin"

Gray = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Retina:
    """Where the retina is in an image.

    Parameters
    ----------
    mask : (H, W) bool
        The retina: one piece without holes.
    disc : Disc
        The camera's field of view; may reach outside the frame where the frame cuts it.
    """

    mask: Mask
    disc: Disc


def find_retina(image: NDArray[np.uint8]) -> Retina:
    """Find the region of interest of a fundus image.

    A disc is accepted whatever its colour. A picture without a disc is refused only if it is black,
    uniform, white noise, mostly white (a page), mostly not reddish (a landscape; images of one colour,
    such as red-free ones, pass), or if its bright region is too small. A white margin is read as a dark one.

    Parameters
    ----------
    image : (H, W, 3) uint8
        RGB, at least `SMALLEST_SIDE` pixels a side.

    Returns
    -------
    Retina
        The mask at the image's own size, and the disc. If the retina fills the frame, the mask is the
        whole frame and the disc is the circle round it.

    Raises
    ------
    ImageError
        If the array is not (H, W, 3) uint8.
    NoRetinaError
        If the picture cannot show a retina.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ImageError(f"got an array {image.shape} {image.dtype}; expected (height, width, 3) uint8 RGB")
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST_SIDE or max(height, width) > 16 * min(height, width):
        raise NoRetinaError(
            f"the image is {width}x{height} pixels (width x height); "
            f"expected at least {SMALLEST_SIDE} a side and no side 16 times the other"
        )
    small = _working_copy(image)
    signal = _signal(small)
    _refuse_empty(image, signal)
    found = _find_disc(signal)
    scale_x, scale_y = width / signal.shape[1], height / signal.shape[0]
    if found is not None:
        disc, dark = found
        native = disc.scaled(scale_x, scale_y)
        mask = native.drawn((height, width))
        if dark.any():
            mask &= ~_resized(dark, (height, width))
            mask = _main_piece(mask)
        return Retina(mask, native)
    region = _bright_region(signal)
    _refuse_implausible(small, region)
    mask = _resized(region, (height, width))
    return Retina(mask, _circle_round(region).scaled(scale_x, scale_y))


def _working_copy(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the image with a long side of 512 pixels, so that all lengths below hold at any size."""
    height, width = image.shape[:2]
    scale = _WORKING_SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return np.asarray(resized, np.uint8)


def _signal(small: NDArray[np.uint8]) -> Gray:
    """Return the brightest channel, freed of noise and thin lettering; a white margin becomes black."""
    red, green, blue = cv2.split(small)
    brightest = cv2.medianBlur(cv2.max(cv2.max(red, green), blue), 5)
    signal = cv2.GaussianBlur(brightest, (0, 0), 1.0).astype(np.float32)
    white = (cv2.min(cv2.min(red, green), blue) >= 235).astype(np.uint8)
    edge = np.concatenate([white[0], white[-1], white[:, 0], white[:, -1]])
    if edge.mean() > 0.6:
        _, labels = cv2.connectedComponents(white)
        touching = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
        margin = np.isin(labels, touching[touching > 0]).astype(np.uint8)
        signal[cv2.dilate(margin, np.ones((5, 5), np.uint8)) > 0] = 0
    return signal


def _find_disc(signal: Gray) -> tuple[Disc, Mask] | None:
    """Return the disc that explains the picture best, and the dark parts of it that show no retina."""
    long_side = max(signal.shape)
    radii = (0.06 * long_side, 0.75 * float(np.hypot(*signal.shape)))
    best_score, best = 0.0, None
    for threshold in _thresholds(signal):
        piece = _main_piece(_opened(signal > threshold, 5))
        rough = fit_disc(_border_points(piece), radii)
        if rough is None:
            continue
        disc = sharpen_disc(signal, rough, radii)
        rim = look_at_rim(signal, disc)
        inside_frame = disc.drawn(signal.shape)
        agreement = (piece & inside_frame).sum() / max(1, (piece | inside_frame).sum())
        score = rim.contrast * float(agreement)
        if score > best_score and _is_retina_rim(rim, float(agreement)):
            best_score, best = score, (disc, rim, inside_frame)
    if best is None:
        return None
    disc, rim, inside_frame = best
    return disc, _dark_parts(signal, disc, rim, inside_frame)


def _is_retina_rim(rim: Rim, agreement: float) -> bool:
    """Tell a field of view from a bright spot in the retina: beyond the rim it is dark, nearly all round."""
    return (
        rim.contrast >= 0.12
        and rim.support >= 0.4
        and rim.outside <= 0.6 * rim.inside
        and rim.visible * rim.support >= 0.02
        and agreement >= 0.6
    )


def _dark_parts(signal: Gray, disc: Disc, rim: Rim, inside_frame: Mask) -> Mask:
    """Return the parts of the disc as dark as the margin that open on its rim: notches and straight cuts.

    Retina that only fades towards the rim stays above the margin's level, or in a sliver too thin to count.
    """
    level = rim.outside + max(4.0, 0.15 * (rim.inside - rim.outside))
    dark = _opened(inside_frame & (signal < level), max(3, round(0.04 * disc.radius)))
    core = Disc(disc.center_x, disc.center_y, 0.97 * disc.radius).drawn(signal.shape)
    count, labels = cv2.connectedComponents(dark.view(np.uint8))
    if count == 1:
        return dark
    at_rim = np.unique(labels[inside_frame & ~core])
    return np.isin(labels, at_rim[at_rim > 0])


def _thresholds(signal: Gray) -> NDArray[np.float64]:
    """Return grey levels from just above the darkest to just below the brightest, in equal ratios."""
    darkest, brightest = float(signal.min()), float(np.percentile(signal, 95))
    low, high = darkest + 3.0, max(darkest + 4.0, 0.8 * brightest)
    return np.geomspace(low, high, _THRESHOLDS, dtype=np.float64)


def _opened(mask: Mask, size: int) -> Mask:
    """Remove what is thinner than `size` pixels; the frame's edge does not erode what it cuts."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    padded = cv2.copyMakeBorder(mask.view(np.uint8), size, size, size, size, cv2.BORDER_REPLICATE)
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, kernel)
    return np.ascontiguousarray(opened[size:-size, size:-size]).view(np.bool_)


def _main_piece(mask: Mask) -> Mask:
    """Return the largest connected piece of the mask with its holes filled."""
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    if contours:
        cv2.drawContours(filled, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return filled.view(np.bool_)


def _border_points(piece: Mask) -> NDArray[np.float64]:
    """Return the (x, y) border points of a piece, at most 400, without those on the frame's edge."""
    contours, _ = cv2.findContours(piece.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return np.empty((0, 2))
    points: NDArray[np.float64] = np.concatenate(contours)[:, 0].astype(np.float64)
    height, width = piece.shape
    x, y = points[:, 0], points[:, 1]
    points = points[(x > 2) & (x < width - 3) & (y > 2) & (y < height - 3)]
    return points[:: -(-len(points) // 400) or 1]


def _bright_region(signal: Gray) -> Mask:
    """Return the largest region not far darker than the picture's bright part; all of it if it is bright."""
    level = max(8.0, 0.25 * float(np.percentile(signal, 75)))
    return _main_piece(_opened(signal > level, 9))


def _circle_round(region: Mask) -> Disc:
    points = np.argwhere(region)[:, ::-1]
    hull = cv2.convexHull(points.astype(np.int32))
    (x, y), radius = cv2.minEnclosingCircle(hull)
    return Disc(float(x), float(y), float(radius))


def _resized(mask: Mask, shape: tuple[int, int]) -> Mask:
    levels = cv2.resize(mask.view(np.uint8) * np.uint8(255), shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(levels >= 128)


def _refuse_empty(image: NDArray[np.uint8], signal: Gray) -> None:
    """Raise NoRetinaError for a black or uniform picture and for noise."""
    brightest = float(np.percentile(signal, 99))
    if brightest < 10:
        raise NoRetinaError(f"the image is black (99 % of it is below {brightest:.0f} of 255); {_EXPECTED}")
    contrast = brightest - float(np.percentile(signal, 1))
    if contrast < 3:
        raise NoRetinaError(
            f"the image is uniform (its grey levels differ by {contrast:.0f} of 255); {_EXPECTED}"
        )
    side = 256  # at the image's own size, where noise is not yet smoothed
    top, left = max(0, (image.shape[0] - side) // 2), max(0, (image.shape[1] - side) // 2)
    middle = image[top : top + side, left : left + side].max(axis=2).astype(np.float64)
    middle -= middle.mean()
    variance = float((middle**2).mean())
    neighbours = float((middle[:, 1:] * middle[:, :-1]).mean() + (middle[1:] * middle[:-1]).mean()) / 2
    if variance > 25 and neighbours < 0.3 * variance and contrast < 0.5 * brightest:
        raise NoRetinaError(
            f"the image is noise (neighbouring pixels correlate by {neighbours / variance:.2f}); {_EXPECTED}"
        )


def _refuse_implausible(small: NDArray[np.uint8], region: Mask) -> None:
    """Raise NoRetinaError for a picture without a disc that cannot be a retina filling the frame."""
    share = float(region.mean())
    if share < 0.05:
        raise NoRetinaError(f"the largest bright region fills {share:.1%} of the image; {_EXPECTED}")
    pixels: NDArray[Any] = small[region].astype(np.int16)
    white = float((pixels.min(axis=1) >= 230).mean())
    if white > 0.5:
        raise NoRetinaError(f"the image is mostly white ({white:.0%}) and shows no disc; {_EXPECTED}")
    red, others = pixels[:, 0], pixels[:, 1:].max(axis=1)
    not_red = float((others > red + 10).mean())
    two_lower = np.sort(pixels.mean(axis=0))[:2]
    one_colour = bool(two_lower.max() < 0.1 * pixels.mean(axis=0).max())
    if not_red > 0.5 and not one_colour:
        raise NoRetinaError(
            f"the image shows no disc and {not_red:.0%} of it is more green or blue than red; {_EXPECTED}"
        )
