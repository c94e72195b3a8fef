"""Darken what surrounds a fundus image in the frame: white paper, a viewer's window, coloured padding.

The search for the disc expects a dark margin.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.disc import Disc, look_at_rim
from retinagan.runtime.retina.pieces import Gray, Mask, frame_edge

_WHITE = 235
_STEP = 2
"""Grey levels between neighbouring pixels of one surround, which may be graded."""
_LEAST_SHARE = 0.03
"""Share of the frame: a smaller surround is ignored."""
_BRIGHTER = 12
"""Grey levels by which a window is brighter than the margin of the frame in it."""
_HALO = 20
"""Largest width of a halo, in pixels of the working copy."""
_FLATTEST = 0.3
"""Largest difference, in grey levels, of a surround's flatter parts from the mean of their neighbours.

Retina without a margin has 0.3 to 1.0 in nearly all real images; flat or graded padding has 0 to 0.25, even
after JPEG compression.
"""


def without_white_margin(small: NDArray[np.uint8], signal: Gray) -> Gray:
    """Return the signal with a white margin made black, if white covers most of the frame's edge.

    Parameters
    ----------
    small : (H, W, 3) uint8
        RGB.
    signal : (H, W) float32
        Its grey levels.
    """
    red, green, blue = cv2.split(small)
    white = (cv2.min(cv2.min(red, green), blue) >= _WHITE).view(np.uint8)
    if frame_edge(white).mean() <= 0.6:
        return signal
    _, labels = cv2.connectedComponents(white)
    touching = np.unique(frame_edge(labels))
    return _darkened(signal, np.isin(labels, touching[touching > 0]))


def grounds_without_surround(small: NDArray[np.uint8], signal: Gray) -> list[Gray]:
    """Return two signals with a flat or evenly graded surround made black; an empty list if there is none.

    The surround grows from the frame's edge over pixels that differ little from their neighbours. A retina
    that fills the frame is no surround: its texture is the same everywhere. In the second signal, darker
    pixels that touch the surround are black too, because filters leave a dark halo around the retina.

    Parameters
    ----------
    small : (H, W, 3) uint8
        RGB.
    signal : (H, W) float32
        Its grey levels.
    """
    surround = _grown_from_edge(np.asarray(cv2.medianBlur(small, 5), np.uint8))
    share = float(surround.mean())
    if not _LEAST_SHARE <= share <= 0.98:
        return []
    texture = _texture(small)
    core = cv2.erode(surround.view(np.uint8), np.ones((7, 7), np.uint8)) > 0
    rest = cv2.erode((~surround).view(np.uint8), np.ones((7, 7), np.uint8)) > 0
    if not core.any() or not rest.any():
        return []
    flatness = float(np.percentile(texture[core], 25))  # a halo round the retina belongs to the rest
    if flatness > min(_FLATTEST, 0.5 * float(np.median(texture[rest]))):
        return []
    darker = (signal <= float(np.median(signal[core])) + _STEP) | surround
    reach = np.ones((2 * _HALO + 1, 2 * _HALO + 1), np.uint8)
    darker &= cv2.dilate(surround.view(np.uint8), reach) > 0
    _, labels = cv2.connectedComponents(darker.view(np.uint8))
    halo = np.isin(labels, np.unique(labels[surround]))
    return [_darkened(signal, surround), _darkened(signal, halo)]


def is_bright_beyond(signal: Gray, disc: Disc) -> bool:
    """Whether the frame's edge is brighter than a disc's margin somewhere beyond the disc, as in a window.

    The window may lie beyond a straight cut through the disc, whose margin is dark elsewhere.
    """
    edge = frame_edge(signal)
    if float(edge.max()) <= _BRIGHTER:
        return False  # nearly all photographs
    beyond = ~Disc(disc.center_x, disc.center_y, 1.03 * disc.radius).drawn(signal.shape)
    return bool((edge[frame_edge(beyond)] > look_at_rim(signal, disc).outside + _BRIGHTER).any())


def _grown_from_edge(smooth: NDArray[np.uint8]) -> Mask:
    """Flood the image from its edge, where neighbours differ by at most `_STEP` levels in each channel."""
    height, width = smooth.shape[:2]
    flooded = np.zeros((height + 2, width + 2), np.uint8)
    columns, rows = range(0, width, 16), range(0, height, 16)
    seeds = [(x, y) for x in columns for y in (0, height - 1)] + [
        (x, y) for y in rows for x in (0, width - 1)
    ]
    for x, y in seeds:
        if not flooded[y + 1, x + 1]:
            step = (_STEP, _STEP, _STEP)
            flags = 8 | cv2.FLOODFILL_MASK_ONLY | (1 << 8)
            cv2.floodFill(smooth, flooded, (x, y), (0, 0, 0), step, step, flags)
    return np.ascontiguousarray(flooded[1:-1, 1:-1]).view(np.bool_)


def _texture(small: NDArray[np.uint8]) -> Gray:
    """Return the distance of each pixel from the mean of its neighbours, in grey levels."""
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.asarray(np.abs(gray - cv2.blur(gray, (5, 5))), np.float32)


def _darkened(signal: Gray, margin: Mask) -> Gray:
    return np.where(cv2.dilate(margin.view(np.uint8), np.ones((5, 5), np.uint8)) > 0, np.float32(0), signal)
