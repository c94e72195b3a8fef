"""Find the retina in a fundus image by thresholds and a circle fitted to the border.

A working copy with a long side of 512 pixels is thresholded at several levels between those of the margin
and the retina. A circle is fitted to the border of each piece, without the points on the frame's edge. The
circle with the strongest step from bright to dark along its rim wins. If there is none, a flat or graded
surround is made dark and the search repeated. If still no circle explains the image (the retina fills the
frame, or its field is not a disc), the bright region itself is the mask, with a warning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import ImageError, NoRetinaError
from retinagan.runtime.retina.disc import Disc, look_at_rim
from retinagan.runtime.retina.hidden import hidden_parts
from retinagan.runtime.retina.missing import incomplete_warning
from retinagan.runtime.retina.pieces import Gray, Mask, main_piece, opened, resized
from retinagan.runtime.retina.plausibility import refuse_empty, refuse_implausible
from retinagan.runtime.retina.search import find_disc
from retinagan.runtime.retina.several import fields_of_view, main_first, other_fields, several_warning
from retinagan.runtime.retina.surround import (
    grounds_without_surround,
    is_bright_beyond,
    without_white_margin,
)
from retinagan.runtime.warnings import ImageWarning

__all__ = ["SMALLEST_SIDE", "Disc", "Retina", "find_retina"]

SMALLEST_SIDE = 32
"""Images with a shorter side than this (pixels) are refused: they show no vessels."""

_WORKING_SIDE = 512
_LEAST_STEP = 0.03
_CUT_OFF = 0.05
"""Share of the visible retina that may lie in pieces of their own, which are not segmented."""


@dataclass(frozen=True)
class Retina:
    """Where the retina is in an image.

    Parameters
    ----------
    mask : (H, W) bool
        The retina: one piece without holes.
    disc : Disc
        The camera's field of view; it may extend beyond the frame where the frame cuts it.
    warnings : tuple of ImageWarning
        ``several-fields-of-view``, ``retina-incomplete`` or ``whole-frame-as-retina``, as far as they apply.
    others : tuple of Disc
        Other fields of view in the image, which are not part of the mask; the largest first.
    """

    mask: Mask
    disc: Disc
    warnings: tuple[ImageWarning, ...] = ()
    others: tuple[Disc, ...] = ()


def find_retina(image: NDArray[np.uint8]) -> Retina:
    """Find the region of interest of a fundus image.

    A disc is accepted whatever its colour. Some images without a disc are refused; see `plausibility`. A
    white margin is treated as a dark one.

    Parameters
    ----------
    image : (H, W, 3) uint8
        RGB; each side has at least `SMALLEST_SIDE` pixels.

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
        If the image cannot show a retina.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ImageError(f"got an array {image.shape} {image.dtype}; expected (height, width, 3) uint8 RGB")
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST_SIDE or max(height, width) > 16 * min(height, width):
        raise NoRetinaError(
            f"the image is {width}x{height} pixels (width x height); "
            f"expected at least {SMALLEST_SIDE} pixels a side and no side 16 times the other"
        )
    small = _working_copy(image)
    signal = _signal(small)
    refuse_empty(image, signal)
    found = _find_fields(small, signal)
    scale_x, scale_y = width / signal.shape[1], height / signal.shape[0]
    if found.discs:
        disc, *others = main_first(found.discs)
        native = disc.scaled(scale_x, scale_y)
        unsegmented = tuple(one.scaled(scale_x, scale_y) for one in others)
        mask, cut_off = native.drawn((height, width)), 0.0
        hidden = hidden_parts(found.signal, disc)
        if hidden.any():
            seen = mask & ~resized(hidden, (height, width))
            mask = main_piece(seen)
            cut_off = np.count_nonzero(seen & ~mask) / np.count_nonzero(seen)
        warnings = several_warning(native, unsegmented)
        if cut_off > _CUT_OFF:
            warnings += (incomplete_warning(cut_off),)
        return Retina(mask, native, warnings, unsegmented)
    region = _bright_region(signal)
    refuse_implausible(small, region)
    mask = resized(region, (height, width))
    return Retina(mask, _circle_round(region).scaled(scale_x, scale_y), (_whole_frame_warning(region),))


class _Found(NamedTuple):
    """The fields of view, and the signal that shows which of their parts are hidden."""

    discs: list[Disc]
    signal: Gray


def _find_fields(small: NDArray[np.uint8], signal: Gray) -> _Found:
    """Find the discs in the image as it is; else without its surround; else several that touch."""
    plain = without_white_margin(small, signal)
    if (disc := find_disc(plain)) is not None:
        discs = [disc, *other_fields(plain, disc)]
        bared = grounds_without_surround(small, signal) if is_bright_beyond(plain, disc) else []
        return _Found(discs, bared[0] if bared else plain)
    bared = grounds_without_surround(small, signal)
    found = [(disc, ground) for ground in bared if (disc := find_disc(ground)) is not None]
    found = [(disc, ground) for disc, ground in found if _shows(signal, disc)]
    if found:
        disc, ground = max(found, key=lambda pair: look_at_rim(signal, pair[0]).contrast)
        return _Found([disc, *other_fields(ground, disc)], ground)
    for ground in (plain, *bared):
        if len(discs := fields_of_view(ground, touching=True)) > 1:
            return _Found(discs, ground)
    return _Found([], signal)


def _shows(signal: Gray, disc: Disc) -> bool:
    """Whether the image itself has a step along a disc's rim; if not, darkening the surround created it."""
    rim = look_at_rim(signal, disc)
    return abs(rim.inside - rim.outside) > _LEAST_STEP * (rim.inside + rim.outside)


def _whole_frame_warning(region: Mask) -> ImageWarning:
    what = "the whole frame" if region.all() else f"its bright region, {region.mean():.0%} of the frame,"
    return ImageWarning("whole-frame-as-retina", f"no fundus disc found; {what} is treated as retina")


def _working_copy(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the image with a long side of 512 pixels, so that all lengths here hold at any size."""
    height, width = image.shape[:2]
    scale = _WORKING_SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # linear interpolation skips no pixel down to half the size, and takes a sixth of the time
    resized = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR if scale >= 0.5 else cv2.INTER_AREA)
    return np.asarray(resized, np.uint8)


def _signal(small: NDArray[np.uint8]) -> Gray:
    """Return the brightest channel without noise and thin lettering."""
    red, green, blue = cv2.split(small)
    brightest = cv2.medianBlur(cv2.max(cv2.max(red, green), blue), 5)
    return cv2.GaussianBlur(brightest, (0, 0), 1.0).astype(np.float32)


def _bright_region(signal: Gray) -> Mask:
    """Return the largest bright region, relative to the image's own brightness; it may be the whole frame."""
    level = max(8.0, 0.25 * float(np.percentile(signal, 75)))
    return main_piece(opened(signal > level, 9))


def _circle_round(region: Mask) -> Disc:
    points = np.argwhere(region)[:, ::-1]
    hull = cv2.convexHull(points.astype(np.int32))
    (x, y), radius = cv2.minEnclosingCircle(hull)
    return Disc(float(x), float(y), float(radius))
