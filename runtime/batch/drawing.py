"""A result as the pixels of a picture, by the picture's kind."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.batch.overlay import draw_overlay
from retinagan.runtime.segmenter import Segmentation


def _vessels(image: NDArray[np.uint8], result: Segmentation) -> NDArray[np.uint8]:
    white: NDArray[np.uint8] = np.where(result.vessels, np.uint8(255), np.uint8(0))
    return white


def _probability(image: NDArray[np.uint8], result: Segmentation) -> NDArray[np.uint16]:
    scaled: NDArray[np.float32] = np.rint(result.probability * np.float32(65535))
    return scaled.astype(np.uint16)


def _overlay(image: NDArray[np.uint8], result: Segmentation) -> NDArray[np.uint8]:
    return draw_overlay(image, result.vessels, result.roi, result.unsegmented)


PICTURES: dict[str, Callable[[NDArray[np.uint8], Segmentation], NDArray[Any]]] = {
    "vessels": _vessels,
    "probability": _probability,
    "overlay": _overlay,
}
"""What draws a picture of each kind from the image, (H, W, 3) uint8 RGB, and its result.

vessels: (H, W) uint8, 0 and 255; probability: (H, W) uint16, 65535 for 1; overlay: (H, W, 3) uint8 RGB.
"""
