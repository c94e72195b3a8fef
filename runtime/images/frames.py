"""Convert images and camera frames to the pipeline's one format: 8-bit RGB."""

from __future__ import annotations

import os
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.depth import bit_depth, upper_bits

ColorOrder = Literal["rgb", "bgr"]

_EXPECTED = "expected (height, width) grey or (height, width, 3) colour, uint8 or uint16"


def as_rgb8(frame: NDArray[Any], color: ColorOrder = "rgb", *, bits: int | None = None) -> NDArray[np.uint8]:
    """Return a frame as 8-bit RGB.

    uint16 frames are scaled by their bit depth, because sensors leave the top bits empty.

    Parameters
    ----------
    frame : (H, W) or (H, W, 3) uint8 or uint16
        Grey or colour, either byte order, any strides.
    color : {"rgb", "bgr"}
        Order of the frame's channels; OpenCV's is "bgr".
    bits : int, optional
        Bit depth of uint16 values, 1 to 16; estimated by `retinagan.runtime.images.depth.bit_depth` if left
        out. Larger values become 255.

    Returns
    -------
    (H, W, 3) uint8
        RGB, C-contiguous, 0 to 255. The frame itself, not a copy, if it already has this format.

    Raises
    ------
    ImageError
        If the frame's type, dtype or shape, or the colour order, is not one of these.
    """
    if color not in get_args(ColorOrder):
        raise ImageError(f'got color={color!r}; expected "rgb" or "bgr"')
    if frame is None:
        raise ImageError(
            f"got None, which OpenCV returns where it cannot read a file or a frame; {_EXPECTED}"
        )
    if not isinstance(frame, np.ndarray):
        raise ImageError(f"got {type(frame).__name__}; {_EXPECTED}, as a numpy array: {_way_to_one(frame)}")
    _check_shape(frame)
    if frame.dtype.kind != "u" or frame.dtype.itemsize > 2:
        hint = "; scale floats from 0..1 by 255 and convert" if frame.dtype.kind == "f" else ""
        raise ImageError(f"got dtype {frame.dtype}, shape {frame.shape}; {_EXPECTED}{hint}")
    eight = frame if frame.dtype.itemsize == 1 else upper_bits(frame, bits or bit_depth(frame).bits)
    if eight.ndim == 2:
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(eight), cv2.COLOR_GRAY2RGB), np.uint8)
    return np.ascontiguousarray(eight if color == "rgb" else eight[:, :, ::-1])


def _way_to_one(frame: object) -> str:
    """Return advice on how to get a NumPy array from another object."""
    if isinstance(frame, str | bytes | os.PathLike):
        return "read a file by retinagan.runtime.read_image(path)"
    return "try numpy.asarray(frame)"


def _check_shape(frame: NDArray[Any]) -> None:
    if frame.ndim not in (2, 3) or (frame.ndim == 3 and frame.shape[2] != 3) or frame.size == 0:
        hint = ""
        if frame.ndim == 3 and frame.shape[2] == 4:
            hint = "; drop the alpha channel: frame[:, :, :3]"
        elif frame.ndim == 3 and frame.shape[2] == 1:
            hint = "; drop the last axis: frame[:, :, 0]"
        elif frame.ndim == 3 and frame.shape[0] == 3:
            hint = "; put the channels last: frame.transpose(1, 2, 0)"
        raise ImageError(f"got shape {frame.shape}, dtype {frame.dtype}; {_EXPECTED}{hint}")
