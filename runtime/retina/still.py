"""Find the retina once, and again only when the margin changes, for cameras that do not move."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.find import Retina, find_retina
from retinagan.runtime.retina.pieces import Gray

LARGEST_CHANGE = 0.01
"""Share of the retina's area that may change between retina and margin before a new search."""

_BLOCKS = 128  # at least, along the long side; far smaller shifts show in the levels at the rim
_SMALLEST_STEP = 12.0  # grey levels from margin to retina; with less, noise would count as change


class StillRetina:
    """Finds the retina as `find_retina` does, and returns the same one while the margin is unchanged.

    Each frame is compared with the frame in which the retina was found, not with the previous one, so that
    slow drift is noticed. Only the shape of the dark margin is compared: brightness may change, and the
    retina may move inside the camera's field of view. Images without a margin are searched every time.
    """

    def __init__(self) -> None:
        self._known: _Found | None = None

    def __call__(self, image: NDArray[np.uint8]) -> Retina:
        """Return the retina of an (H, W, 3) uint8 RGB image; raises the errors of `find_retina`.

        While the margin is unchanged it is the same object; its mask is read-only.
        """
        red, green, blue = cv2.split(_blocks(image))
        small = cv2.max(cv2.max(red, green), blue).astype(np.float32)
        if self._known is not None and self._known.still_holds(image.shape, small):
            return self._known.retina
        retina = find_retina(image)
        retina.mask.flags.writeable = False  # later frames have the same one
        self._known = _Found.remember(image.shape, small, retina)
        return retina


@dataclass(frozen=True)
class _Found:
    """A retina, and the bright and dark parts of the image in which it was found."""

    retina: Retina
    shape: tuple[int, ...]
    inside: NDArray[np.bool_]
    outside: NDArray[np.bool_]
    light: Gray

    @classmethod
    def remember(cls, shape: tuple[int, ...], small: Gray, retina: Retina) -> _Found | None:
        """Return the reference for later frames, or None if the image has no margin to compare."""
        covered = _blocks(retina.mask.view(np.uint8) * np.uint8(255))
        inside, outside = covered == 255, covered == 0
        light = _light(small, inside, outside)
        if light is None:
            return None
        return cls(retina, shape, inside, outside, light)

    def still_holds(self, shape: tuple[int, ...], small: Gray) -> bool:
        if shape != self.shape:
            return False
        light = _light(small, self.inside, self.outside)
        if light is None:
            return False
        changed = float(np.abs(light - self.light).sum())
        return changed <= LARGEST_CHANGE * float(np.count_nonzero(self.inside))


def _blocks(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the means of blocks of pixels, 128 to 255 along the image's long side."""
    while max(image.shape[:2]) >= 2 * _BLOCKS:
        rows, columns = image.shape[0] // 2, image.shape[1] // 2
        even = image[: 2 * rows, : 2 * columns]
        image = np.asarray(cv2.resize(even, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
    return image


def _light(small: Gray, inside: NDArray[np.bool_], outside: NDArray[np.bool_]) -> Gray | None:
    """Return 0 where as dark as the margin, 1 where as bright as the retina; None if these are close.

    Vessels, shadows and the fall-off of light towards the rim stay above the level that counts as retina.
    """
    if not inside.any() or np.count_nonzero(outside) < small.shape[0]:
        return None
    dark, bright = float(np.median(small[outside])), float(np.median(small[inside]))
    step = bright - dark
    if step < _SMALLEST_STEP:
        return None
    return np.asarray(np.clip((small - (dark + 0.1 * step)) / (0.4 * step), 0, 1), np.float32)
