"""One frame of a DICOM object as grey or RGB values, after the header is checked."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.decoding import check_size
from retinagan.runtime.images.depth import upper_bits
from retinagan.runtime.images.dicom.colours import RGB, YBR, in_rgb
from retinagan.runtime.images.dicom.compressed import Values, bits_in_use, by_pydicom, decompress
from retinagan.runtime.images.dicom.elements import NATIVE, PixelData
from retinagan.runtime.images.dicom.header import Header
from retinagan.runtime.images.integrity import COPY_AGAIN
from retinagan.runtime.warnings import ImageWarning

MOST_FRAMES = 10_000
"""Files that declare more frames are refused."""

_EXPORT_AGAIN = "export the image as MONOCHROME2 or RGB"
_GREY = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
_SUBSAMPLED = "YBR_FULL_422"
_UNREAD = ("HSV", "ARGB", "CMYK", "XYB", "YBR_PARTIAL_422", "YBR_PARTIAL_420")


class Decoded(NamedTuple):
    """One frame.

    Attributes
    ----------
    pixels : (H, W) or (H, W, 3), uint8 or uint16
        Grey, 0 is black, or RGB.
    bits : int
        Bits in use: 8 for uint8, 9 to 16 for uint16.
    warnings : tuple of ImageWarning
        Doubts about the colours.
    """

    pixels: NDArray[Any]
    bits: int
    warnings: tuple[ImageWarning, ...] = ()


def _told(photometric: str) -> str:
    """Return a photometric interpretation for a message; any other text may be a person's name."""
    if photometric in (*_GREY, *RGB, *YBR, *_UNREAD):
        return photometric
    return "(not one of the standard's)" if photometric else "(none)"


def check_header(header: Header, max_pixels: int) -> None:
    """Raise ImageError if the header describes an image that is too large, or of a kind that is not read."""
    check_size((header.columns, header.rows), max_pixels)
    if not header.rows or not header.columns:
        raise ImageError("the DICOM image has no rows or no columns; export the image again")
    if header.frames > MOST_FRAMES:
        raise ImageError(f"the DICOM file declares {header.frames} frames; expected at most {MOST_FRAMES}")
    kinds = {1: _GREY, 3: (*RGB, *YBR)}.get(header.samples, ())
    if header.photometric not in kinds:
        raise ImageError(
            f"the DICOM image has {header.samples} samples per pixel and the photometric interpretation "
            f"{_told(header.photometric)}, which is not supported; {_EXPORT_AGAIN}"
        )
    if header.allocated not in (1, 8, 16, 32) or not 1 <= header.stored <= min(header.allocated, 16):
        raise ImageError(
            f"the DICOM image stores {header.stored} bits in {header.allocated}; "
            "expected 1 to 16 bits in 1, 8, 16 or 32"
        )
    if not header.stored - 1 <= header.high_bit < header.allocated:
        raise ImageError(
            f"the DICOM image's High Bit is {header.high_bit}; expected {header.stored - 1} "
            f"for {header.stored} bits"
        )


def count_frames(pixel_data: PixelData, header: Header) -> int:
    """Return how many frames the pixel data can hold, without decoding one."""
    if header.transfer_syntax in NATIVE:
        return 8 * len(pixel_data.value) // _frame_bits(header)
    from pydicom.encaps import parse_basic_offsets, parse_fragments

    stream = io.BytesIO(pixel_data.value)
    parse_basic_offsets(stream)
    return int(parse_fragments(stream)[0])


def decode_frame(pixel_data: PixelData, header: Header, index: int) -> Decoded:
    """Decode one frame.

    Parameters
    ----------
    pixel_data : PixelData
        Of all frames.
    header : Header
        Checked by `check_header`.
    index : int
        Number of the frame, from 0.

    Raises
    ------
    ImageError
        If frames are missing or damaged, or of a kind that cannot be decoded here; decoders may raise other
        errors for damaged data.
    """
    held = count_frames(pixel_data, header)
    if held < header.frames:
        frames = "1 frame" if header.frames == 1 else f"{header.frames} frames"
        raise ImageError(f"truncated (the header declares {frames}, the file holds {held}); {COPY_AGAIN}")
    if header.transfer_syntax in NATIVE:
        header, values = _native(pixel_data, header, index)
    else:
        values = decompress(_encoded(pixel_data, header, index), header)
    array, bits = values.array, values.bits
    if array.dtype.kind == "i":
        if array.min() < 0:
            raise ImageError(f"the DICOM image has negative values; {_EXPORT_AGAIN}")
        array = array.view(array.dtype.str.replace("i", "u"))
    if header.samples == 1:
        return Decoded(*_grey(array, bits, header))
    array, warnings = (array, ()) if values.is_rgb else in_rgb(array, header.photometric)
    return Decoded(*_in_8_or_16(array, bits), warnings)


def _frame_bits(header: Header) -> int:
    samples = 2 if header.photometric == _SUBSAMPLED else header.samples
    return header.rows * header.columns * samples * header.allocated


def _encoded(pixel_data: PixelData, header: Header, index: int) -> bytes:
    """Return the data of a compressed frame, joined from its fragments."""
    from pydicom.encaps import get_frame

    return bytes(
        get_frame(pixel_data.value, index, number_of_frames=header.frames, extended_offsets=header.offsets)
    )


def _native(pixel_data: PixelData, header: Header, index: int) -> tuple[Header, Values]:
    """Return a frame that is not compressed, and the header without a tag that cannot be true."""
    whole = replace(header, photometric="RGB")
    if header.photometric == _SUBSAMPLED and count_frames(pixel_data, whole) >= header.frames:
        header = replace(header, photometric="")
    array = by_pydicom(
        pixel_data.value,
        header if header.photometric else whole,
        index,
        pixel_vr=pixel_data.vr,
        correct_unused_bits=False,
    )
    return header, Values(bits_in_use(array, header), header.stored)


def _grey(array: NDArray[Any], bits: int, header: Header) -> tuple[NDArray[Any], int]:
    if header.photometric == "PALETTE COLOR":
        return _in_8_or_16(*_coloured(array, header))
    if header.photometric == "MONOCHROME1":
        most = (1 << bits) - 1
        array = most - np.minimum(array, most)
    return _in_8_or_16(array, bits)


def _coloured(array: NDArray[Any], header: Header) -> tuple[NDArray[Any], int]:
    """Look the values up in the palette (PS3.3, C.7.6.3.1.5)."""
    from pydicom.dataset import Dataset
    from pydicom.pixels import apply_color_lut

    if header.palette is None:
        raise ImageError("the DICOM image's palette is missing or segmented; export the image in RGB")
    lookup = Dataset()
    for colour, table in zip(("Red", "Green", "Blue"), header.palette.tables, strict=True):
        setattr(lookup, f"{colour}PaletteColorLookupTableDescriptor", [*header.palette.descriptor])
        setattr(lookup, f"{colour}PaletteColorLookupTableData", table)
    coloured = apply_color_lut(array, lookup)
    return coloured, 8 if coloured.dtype.itemsize == 1 else header.palette.descriptor[2]


def _in_8_or_16(array: NDArray[Any], bits: int) -> tuple[NDArray[Any], int]:
    """Return values as uint8 if they have 8 bits or fewer, which are scaled to 8; else as uint16."""
    if bits < 8:
        return upper_bits(array.astype(np.uint16), bits), 8
    within = np.minimum(array, (1 << bits) - 1) if array.dtype.itemsize > (1 if bits == 8 else 2) else array
    return np.ascontiguousarray(within, np.uint8 if bits == 8 else np.uint16), bits
