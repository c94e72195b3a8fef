"""Crop the square around the retina's disc at the network's working size, and put results back in place.

The square follows the disc, so vessels keep their scale whatever margin the camera leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import ImageError
from retinagan.runtime.retina.disc import Disc

Pixel = TypeVar("Pixel", np.uint8, np.uint16, np.float32)


@dataclass(frozen=True)
class SquareCrop:
    """A square of an image, resized to the working size; made by `square_crop`.

    Parameters
    ----------
    left, top : int
        The square's first column and row in the image; negative where it reaches outside the frame.
    side : int
        Its side in the image's pixels.
    working_size : int
        Its side after resizing.
    height, width : int
        Size of the image that the crop was made for.
    """

    left: int
    top: int
    side: int
    working_size: int
    height: int
    width: int

    def cut(self, image: NDArray[Pixel]) -> NDArray[Pixel]:
        """Return the square at working size, 0 where it reaches outside the frame.

        Shrinks by area, enlarges by cubic interpolation.

        Parameters
        ----------
        image : (height, width) or (height, width, 3), uint8, uint16 or float32

        Returns
        -------
        (working_size, working_size) or (working_size, working_size, 3), same dtype
        """
        if image.shape[:2] != (self.height, self.width):
            raise ImageError(
                f"got an image {image.shape}; expected {(self.height, self.width)} (height, width), "
                "the size that this crop was made for"
            )
        in_image, in_square = self._overlap()
        if in_square == (slice(0, self.side), slice(0, self.side)):
            square = image[in_image]
        else:
            square = np.zeros((self.side, self.side, *image.shape[2:]), image.dtype)
            square[in_square] = image[in_image]
        if self.side == self.working_size:
            return np.ascontiguousarray(square)
        method = cv2.INTER_AREA if self.side > self.working_size else cv2.INTER_CUBIC
        size = (self.working_size, self.working_size)
        return np.asarray(cv2.resize(square, size, interpolation=method), image.dtype)

    def cut_mask(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Crop a (height, width) bool mask at working size; pixels at least half covered are True."""
        grey = np.zeros((self.height, self.width), np.uint8)
        np.multiply(mask[self.in_image], np.uint8(255), out=grey[self.in_image])
        return self.cut(grey) >= 128

    def restore(self, probability: NDArray[np.float32]) -> NDArray[np.float32]:
        """Put a map of the square in its place in the whole image.

        Parameters
        ----------
        probability : (working_size, working_size) float32

        Returns
        -------
        (height, width) float32
            In [0, 1], 0 outside the square. Positions are the exact inverse of `cut`.
        """
        expected = (self.working_size, self.working_size)
        if probability.shape != expected:
            raise ImageError(f"got a map {probability.shape}; expected {expected}, this crop's working size")
        method = cv2.INTER_AREA if self.side < self.working_size else cv2.INTER_LINEAR
        square = cv2.resize(np.asarray(probability, np.float32), (self.side, self.side), interpolation=method)
        in_image, in_square = self._overlap()
        whole = np.zeros((self.height, self.width), np.float32)
        np.clip(square[in_square], 0, 1, out=whole[in_image])
        return whole

    @property
    def in_image(self) -> tuple[slice, slice]:
        """Rows and columns of the image that lie in the square."""
        return self._overlap()[0]

    def _overlap(self) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Return the rows and columns of the part inside the frame, in the image and in the square."""
        top, bottom = max(0, self.top), min(self.height, self.top + self.side)
        left, right = max(0, self.left), min(self.width, self.left + self.side)
        in_image = slice(top, bottom), slice(left, right)
        in_square = (
            slice(top - self.top, bottom - self.top),
            slice(left - self.left, right - self.left),
        )
        return in_image, in_square


def square_crop(disc: Disc, shape: tuple[int, int], working_size: int, side: int | None = None) -> SquareCrop:
    """Return the crop of the square around a disc.

    Parameters
    ----------
    disc : Disc
        The retina's disc, from `find_retina`.
    shape : (height, width)
        The image's size, in pixels.
    working_size : int
        Side of the square after resizing, in pixels.
    side : int, optional
        Side of the square in the image's pixels; the disc's diameter if left out.

    Raises
    ------
    ImageError
        If the disc lies outside the frame, or is wider than twice the frame's diagonal.
    """
    height, width = shape
    side = int(np.ceil(2 * disc.radius)) + 1 if side is None else side
    left = round(disc.center_x - (side - 1) / 2)
    top = round(disc.center_y - (side - 1) / 2)
    if disc.radius > np.hypot(height, width):
        raise ImageError(
            f"the disc's radius is {disc.radius:.0f} pixels in a frame of {width}x{height}; "
            "expected at most the frame's diagonal"
        )
    if left >= width or top >= height or left + side <= 0 or top + side <= 0:
        raise ImageError(
            f"the disc round ({disc.center_x:.0f}, {disc.center_y:.0f}) lies outside the frame of "
            f"{width}x{height}; expected a disc that overlaps it"
        )
    return SquareCrop(left, top, side, working_size, height, width)
