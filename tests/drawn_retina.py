"""A quickly drawn retina: a bright disc on black, crossed by dark lines in known places."""

import cv2
import numpy as np


def drawn_retina(
    height: int = 180, width: int = 200, angles: tuple[int, ...] = (20, 75, 130, 165)
) -> tuple[np.ndarray, np.ndarray]:
    """Return an RGB image (height, width, 3) uint8 and its lines (height, width) bool, through the centre."""
    rows, columns = np.mgrid[:height, :width]
    center_y, center_x, radius = (height - 1) / 2, (width - 1) / 2, 0.46 * min(height, width)
    inside = np.hypot(rows - center_y, columns - center_x) <= radius
    shade = 1.0 - 0.2 * np.hypot(rows - center_y, columns - center_x) / radius
    image = (np.array([190.0, 110.0, 60.0]) * shade[..., None]).astype(np.uint8)
    lines = np.zeros((height, width), np.uint8)
    for angle in np.deg2rad(angles):
        reach = 0.85 * radius * np.array([np.cos(angle), np.sin(angle)])
        start = np.rint(np.array([center_x, center_y]) - reach).astype(int)
        end = np.rint(np.array([center_x, center_y]) + reach).astype(int)
        cv2.line(lines, tuple(map(int, start)), tuple(map(int, end)), 1, max(1, min(height, width) // 128))
    image[lines > 0] //= 2
    image[~inside] = 0
    return image, (lines > 0) & inside
