"""The overlay: the image with its vessels outlined or coloured, the retina's rim, other eyes crossed out."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.images.photograph import Frame, rgb8_of
from retinagan.runtime.retina.disc import Disc

VESSEL_COLOR = (40, 255, 190)
RIM_COLOR = (255, 255, 255)
UNSEGMENTED_COLOR = (255, 90, 60)
_OUTLINE_OPACITY = 0.75
_TINT_OPACITY = 0.35  # the vessel itself stays to be seen under it
_RIM_OPACITY = 0.6
_CROSS_OPACITY = 0.9
_COLORS_OPACITY = 0.85  # colours that mean something must be read as they are
_PIXELS_PER_LINE_WIDTH = 700


def draw_overlay(
    image: Frame,
    vessels: NDArray[np.bool_],
    roi: NDArray[np.bool_],
    unsegmented: Sequence[Disc] = (),
    colors: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Draw vessels and the retina's rim over an image.

    Parameters
    ----------
    image : (H, W, 3) or (H, W) array, or Photograph
        RGB or grey, uint8 or uint16; or what `read_image` returns.
    vessels, roi : (H, W) bool arrays
        True on vessels, and on the retina and its rim, where there is a map.
    unsegmented : sequence of Disc
        Other fields of view, to be circled and crossed out; `Segmentation` names them.
    colors : (H, W, 3) uint8 array, optional
        RGB colours with which vessels are filled; if left out, they are outlined and tinted in one colour.

    Returns
    -------
    (H, W, 3) uint8 array
        A new RGB image.
    """
    width = max(1, round(max(roi.shape) / _PIXELS_PER_LINE_WIDTH))
    drawn: NDArray[np.uint8] = rgb8_of(image).copy()
    if colors is None:
        outline = _border(vessels, width)
        _tint(drawn, vessels & ~outline, VESSEL_COLOR, _TINT_OPACITY)
        _tint(drawn, outline, VESSEL_COLOR, _OUTLINE_OPACITY)
    else:
        blended = cv2.addWeighted(drawn, 1 - _COLORS_OPACITY, colors, _COLORS_OPACITY, 0)
        cv2.copyTo(blended, vessels.view(np.uint8), drawn)
    _tint(drawn, _border(roi, width), RIM_COLOR, _RIM_OPACITY)
    for disc in unsegmented:
        _tint(drawn, _crossed_out(disc, roi.shape, width) & ~roi, UNSEGMENTED_COLOR, _CROSS_OPACITY)
    return drawn


def _tint(image: NDArray[np.uint8], where: NDArray[np.bool_], color: tuple[int, ...], opacity: float) -> None:
    """Blend a colour into part of an image: a table of 256 levels for each channel, in place."""
    levels = np.arange(256, dtype=np.float32)[:, None] * np.float32(1 - opacity)
    blended = levels + np.array(color, np.float32) * np.float32(opacity)
    table = np.rint(blended).astype(np.uint8)[None]
    cv2.copyTo(cv2.LUT(image, table), where.view(np.uint8), image)


def _border(region: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Return a region's pixels that lie within `width` pixels of its outside or of the image's edge."""
    kernel = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    inside = cv2.erode(region.view(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    border: NDArray[np.bool_] = region & (inside == 0)
    return border


def _crossed_out(disc: Disc, shape: tuple[int, ...], width: int) -> NDArray[np.bool_]:
    """Draw a disc's rim and its two diagonals, in lines twice as wide as the vessels'."""
    lines = np.zeros(shape, np.uint8)
    center, radius = (round(disc.center_x), round(disc.center_y)), round(disc.radius)
    cv2.circle(lines, center, radius, 1, 2 * width)
    reach = round(disc.radius / np.sqrt(2))
    for sign in (-1, 1):
        ends = [(center[0] + way * reach, center[1] + sign * way * reach) for way in (-1, 1)]
        cv2.line(lines, ends[0], ends[1], 1, 2 * width)
    return lines.view(np.bool_)
