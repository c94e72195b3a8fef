"""One image of a file: its pixels, and what the file declares about them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.frames import ColorOrder, as_rgb8
from retinagan.runtime.warnings import ImageWarning

NARROWEST, WIDEST = 10.0, 220.0
"""Range of a fundus camera's field of view in degrees; other values are mistakes."""


@dataclass(frozen=True, eq=False)
class Photograph:
    """One image of a file.

    Attributes
    ----------
    pixels : (H, W) or (H, W, 3), uint8 or uint16
        Grey or RGB, upright, values as in the file.
    bits : int
        Bit depth of the values: 8 for uint8; up to 16 for uint16, declared by the file or estimated from the
        values; see `retinagan.runtime.images.depth`.
    frame, frames : int
        Number of this full-size image in the file, from 1, and how many there are.
    warnings : tuple of ImageWarning
        Doubts about how to read the file, such as ``first-of-several-frames`` and ``bit-depth-guessed``.
    field_of_view : float or None
        The camera's angle in degrees, 10 to 220: a DICOM file's Horizontal Field of View. None if the file
        does not declare it.
    pixel_spacing : tuple of two floats or None
        Distance of neighbouring rows and of neighbouring columns on the retina, in millimetres: a DICOM
        file's Pixel Spacing. It is nominal: the true distance depends on the eye, and varies over the image.
        None if the file does not declare it.
    laterality : {"R", "L", "B", ""}
        Right eye, left eye, or both: a DICOM file's Image Laterality or Laterality. Empty if unknown.
    sop_instance_uid : str
        Identifies the DICOM object; empty for other files.
    """

    pixels: NDArray[Any]
    bits: int
    frame: int = 1
    frames: int = 1
    warnings: tuple[ImageWarning, ...] = ()
    field_of_view: float | None = None
    pixel_spacing: tuple[float, float] | None = None
    laterality: str = ""
    sop_instance_uid: str = ""

    def as_rgb8(self) -> NDArray[np.uint8]:
        """Return the pixels as (H, W, 3) uint8 RGB, scaled by `bits`."""
        return as_rgb8(self.pixels, bits=self.bits)

    def in_rgb8(self) -> Photograph:
        """Return this photograph with its pixels as (H, W, 3) uint8 RGB."""
        return replace(self, pixels=self.as_rgb8(), bits=8)


Frame: TypeAlias = NDArray[Any] | Photograph
"""What can be segmented: an array in a colour order, or an image of a file, which is RGB."""


def rgb8_of(frame: Frame, color: ColorOrder = "rgb") -> NDArray[np.uint8]:
    """Return a photograph, which is RGB, or a frame in a colour order, as (H, W, 3) uint8 RGB.

    Raises
    ------
    ImageError
        As of `as_rgb8`.
    """
    return frame.as_rgb8() if isinstance(frame, Photograph) else as_rgb8(frame, color)


def angle_of(frame: Frame) -> float | None:
    """Return the angle that a photograph's file declares; None for a frame."""
    return frame.field_of_view if isinstance(frame, Photograph) else None


def frame_number(frame: int | None, frames: int) -> int:
    """Return the number of the image to read, from 1: the first unless one is asked for.

    Raises
    ------
    ImageError
        If a file with so many images has none of that number.
    """
    if frame is not None and not 1 <= frame <= frames:
        raise ImageError(f"no image {frame}: the file holds {frames} of full size")
    return 1 if frame is None else frame


def frame_warnings(frame: int | None, frames: int) -> tuple[ImageWarning, ...]:
    """Return the warning ``first-of-several-frames`` if there are others and none is asked for."""
    if frame is not None or frames == 1:
        return ()
    message = f"the file holds {frames} images of full size; this is the first"
    return (ImageWarning("first-of-several-frames", message),)
