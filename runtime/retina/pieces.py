"""Connected pieces of a mask: opening, filling and border points. Masks are (H, W) bool."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.float32]
Mask = NDArray[np.bool_]


def frame_edge(array: NDArray[Any]) -> NDArray[Any]:
    """Return the outermost rows and columns of an array, concatenated."""
    return np.concatenate([array[0], array[-1], array[:, 0], array[:, -1]])


def opened(mask: Mask, size: int) -> Mask:
    """Remove structures thinner than `size` pixels; those cut by the frame's edge are not eroded there."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    padded = cv2.copyMakeBorder(mask.view(np.uint8), size, size, size, size, cv2.BORDER_REPLICATE)
    smooth = cv2.morphologyEx(padded, cv2.MORPH_OPEN, kernel)
    return np.ascontiguousarray(smooth[size:-size, size:-size]).view(np.bool_)


def main_piece(mask: Mask) -> Mask:
    """Return the largest connected piece of the mask with its holes filled."""
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    if contours:
        cv2.drawContours(filled, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return filled.view(np.bool_)


def border_points(piece: Mask) -> NDArray[np.float64]:
    """Return the (x, y) border points of a piece, at most 400, without those on the frame's edge."""
    contours, _ = cv2.findContours(piece.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return np.empty((0, 2))
    points: NDArray[np.float64] = np.concatenate(contours)[:, 0].astype(np.float64)
    height, width = piece.shape
    x, y = points[:, 0], points[:, 1]
    points = points[(x > 2) & (x < width - 3) & (y > 2) & (y < height - 3)]
    return points[:: -(-len(points) // 400) or 1]


def resized(mask: Mask, shape: tuple[int, int]) -> Mask:
    """Return the mask resized to another (height, width)."""
    levels = cv2.resize(mask.view(np.uint8) * np.uint8(255), shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(levels >= 128)
