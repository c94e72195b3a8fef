"""Decode one frame of a DICOM object to grey or RGB values, after its headers are checked."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.decoding import check_size
from retinagan.runtime.images.depth import upper_bits
from retinagan.runtime.images.dicom.codestream import Codestream, codestream_of
from retinagan.runtime.images.dicom.elements import NATIVE, PixelData
from retinagan.runtime.images.dicom.header import Header, scrambled
from retinagan.runtime.images.integrity import check_jpeg2000
from retinagan.runtime.images.jpeg import decode_jpeg, jpeg_images

MOST_FRAMES = 10_000
"""Files that declare more frames are refused."""

_COPY_AGAIN = "copy it again from its source"
_EXPORT_AGAIN = "export the image as MONOCHROME2 or RGB"
_RLE = "1.2.840.10008.1.2.5"
_NEEDS_GDCM = "pip install python-gdcm, or export the image uncompressed"
_GREY = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_YBR = ("YBR_FULL", "YBR_FULL_422")
_STORED_AS_RGB = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"  # a marker that keeps libjpeg from a conversion


def check_header(header: Header, max_pixels: int) -> None:
    """Raise ImageError if the header describes an image that is too large, or of a kind that is not read."""
    check_size((header.columns, header.rows), max_pixels)
    if not header.rows or not header.columns:
        raise ImageError("the DICOM image has no rows or no columns; export the image again")
    if header.frames > MOST_FRAMES:
        raise ImageError(f"the DICOM file declares {header.frames} frames; expected at most {MOST_FRAMES}")
    kinds = {1: _GREY, 3: _COLOUR}.get(header.samples)
    if kinds is None or header.photometric not in kinds:
        raise ImageError(
            f"the DICOM image has {header.samples} samples per pixel and the photometric interpretation "
            f"{header.photometric or '(none)'}, which is not supported; {_EXPORT_AGAIN}"
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


def decode_frame(
    pixel_data: PixelData, header: Header, index: int
) -> tuple[NDArray[np.uint8] | NDArray[np.uint16], int]:
    """Decode one frame.

    Parameters
    ----------
    pixel_data : PixelData
        Of all frames.
    header : Header
        Checked by `check_header`.
    index : int
        Number of the frame, from 0.

    Returns
    -------
    (H, W) or (H, W, 3), uint8 or uint16
        Grey, 0 is black, or RGB.
    int
        Bits in use: 8, or 9 to 16.

    Raises
    ------
    ImageError
        If frames are missing or damaged, or of a kind that cannot be decoded here; decoders may raise other
        errors for damaged data.
    """
    held = count_frames(pixel_data, header)
    if held < header.frames:
        frames = "1 frame" if header.frames == 1 else f"{header.frames} frames"
        raise ImageError(f"truncated (the header declares {frames}, the file holds {held}); {_COPY_AGAIN}")
    if header.transfer_syntax in NATIVE:
        return _finished(_native(pixel_data, header, index), header, header.stored)
    return _finished(*_decompressed(_encoded(pixel_data, header, index), header))


def count_frames(pixel_data: PixelData, header: Header) -> int:
    """Return how many frames the pixel data can hold, without decoding one."""
    if header.transfer_syntax in NATIVE:
        return 8 * len(pixel_data.value) // max(1, _frame_bits(header))
    from pydicom.encaps import parse_basic_offsets, parse_fragments

    stream = io.BytesIO(pixel_data.value)
    parse_basic_offsets(stream)
    return int(parse_fragments(stream)[0])


def _frame_bits(header: Header) -> int:
    pixels = header.rows * header.columns
    samples = 2 if header.photometric == "YBR_FULL_422" else header.samples
    return pixels * samples * header.allocated


def _encoded(pixel_data: PixelData, header: Header, index: int) -> bytes:
    """Return the data of a frame, joined from its fragments."""
    from pydicom.encaps import get_frame

    return bytes(
        get_frame(pixel_data.value, index, number_of_frames=header.frames, extended_offsets=header.offsets)
    )


def _native(pixel_data: PixelData, header: Header, index: int) -> NDArray[Any]:
    """Return a frame that is not compressed; YBR becomes RGB."""
    aligned = header.high_bit == header.stored - 1
    array = _by_pydicom(pixel_data.value, header, index, pixel_vr=pixel_data.vr, correct_unused_bits=aligned)
    if not aligned:
        array = array >> (header.high_bit + 1 - header.stored) & ((1 << header.stored) - 1)
    return array


def _by_pydicom(value: bytes, header: Header, index: int, plugin: str = "", **options: Any) -> NDArray[Any]:
    """Decode with pydicom, which converts YBR to RGB."""
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    decoder = get_decoder(UID(header.transfer_syntax))
    array: NDArray[Any] = decoder.as_array(
        value,
        index=index,
        validate=False,  # of what it would check, the rest only leads to warnings
        decoding_plugin=plugin,
        rows=header.rows,
        columns=header.columns,
        samples_per_pixel=header.samples,
        number_of_frames=header.frames,
        bits_allocated=header.allocated,
        bits_stored=header.stored,
        pixel_representation=int(header.signed),
        planar_configuration=int(header.planar),
        photometric_interpretation=header.photometric,
        pixel_keyword="PixelData",
        **options,
    )[0]
    return array


def _decompressed(frame: bytes, header: Header) -> tuple[NDArray[Any], Header, int]:
    """Return a compressed frame, the header as it then is, and the bits in use."""
    if header.transfer_syntax == _RLE:
        return _run_lengths(frame, header), header, header.stored
    found = codestream_of(frame)
    if found is None:
        if header.zeiss:
            raise scrambled()
        raise ImageError(
            f"damaged, or compressed in a way that is not supported ({syntax_name(header.transfer_syntax)}); "
            "export the image uncompressed"
        )
    _check_fits(found, header)
    if found.kind == "jpeg" and found.bits == 8:
        return _jpeg(frame, found, header), header, 8
    if found.stored_as == "rgb":
        header = replace(header, photometric="RGB")
    if found.kind == "jpeg-2000":
        check_jpeg2000(frame)
    # YBR_ICT and YBR_RCT are undone by the decoder itself
    header = replace(header, stored=max(header.stored, found.bits))
    return _by_plugin(frame, found, header), header, found.bits


def _check_fits(found: Codestream, header: Header) -> None:
    """Raise ImageError unless a compressed frame has the size and depth that the file declares."""
    declared = (header.columns, header.rows, header.samples)
    if (found.width, found.height, found.components) != declared:
        raise ImageError(
            f"damaged (a frame has {found.width}x{found.height} pixels and {found.components} colours; "
            f"the header declares {header.columns}x{header.rows} and {header.samples}); {_COPY_AGAIN}"
        )
    if not 1 <= found.bits <= min(header.allocated, 16):
        raise ImageError(
            f"damaged (a frame of {found.bits} bits; the header declares {header.allocated}); {_COPY_AGAIN}"
        )


def _jpeg(frame: bytes, found: Codestream, header: Header) -> NDArray[np.uint8]:
    """Decode 8-bit JPEG as a JPEG file: damage that libjpeg finds is an error.

    libjpeg takes the colours for YCbCr unless the data say otherwise. Where they say nothing, the DICOM
    header counts.
    """
    image = jpeg_images(frame)[0]
    data = frame[image.start : image.end]
    if not found.stored_as and header.photometric == "RGB":
        data = data[:2] + _STORED_AS_RGB + data[2:]
    return decode_jpeg(data, header.rows * header.columns)


def _by_plugin(frame: bytes, found: Codestream, header: Header) -> NDArray[Any]:
    """Decode with Pillow what it decodes right, all else with python-gdcm, if that is installed."""
    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    pillow = found.kind == "jpeg-2000" and (found.components == 1 or found.bits <= 8)
    try:
        decoder = get_decoder(UID(header.transfer_syntax))
    except NotImplementedError as error:
        name = syntax_name(header.transfer_syntax)
        raise ImageError(f"{name} is not supported; export the image uncompressed") from error
    plugin = "pillow" if pillow else "gdcm"
    if plugin not in decoder.available_plugins:
        name = syntax_name(header.transfer_syntax)
        raise ImageError(f"{name} with {found.bits} bits needs python-gdcm: {_NEEDS_GDCM}")
    return _by_pydicom(encapsulate([frame]), replace(header, frames=1, offsets=None), 0, plugin)


def syntax_name(uid: str) -> str:
    """Return the name of a transfer syntax; its UID if it has none."""
    from pydicom.uid import UID

    return str(UID(uid).name) if uid else "(none)"


def _run_lengths(frame: bytes, header: Header) -> NDArray[Any]:
    """Decode RLE (PS3.5, annex G) with Pillow: a plane for each byte of each colour."""
    from pydicom.pixels import convert_color_space

    pixels, depth = header.rows * header.columns, max(1, header.allocated // 8)
    count = int.from_bytes(frame[:4], "little")
    if count != header.samples * depth:
        raise ImageError(f"damaged ({count} RLE segments; expected {header.samples * depth}); {_COPY_AGAIN}")
    starts = [int.from_bytes(frame[4 * number : 4 * number + 4], "little") for number in range(1, count + 1)]
    planes = []
    for start, end in zip(starts, [*starts[1:], len(frame)], strict=True):
        try:
            plane = Image.frombytes("L", (pixels, 1), frame[start:end], "packbits", "L")
        except (ValueError, OSError) as error:
            raise ImageError(f"truncated (an RLE segment ends too early); {_COPY_AGAIN}") from error
        planes.append(np.asarray(plane, np.uint8).reshape(header.rows, header.columns))
    dtype = np.dtype(f"{'i' if header.signed else 'u'}{depth}")
    colours = [
        np.stack(planes[place : place + depth][::-1], axis=-1).view(f"<{dtype.str[1:]}")[..., 0]
        for place in range(0, count, depth)
    ]
    array = colours[0] if header.samples == 1 else np.stack(colours, axis=-1)
    return convert_color_space(array, "YBR_FULL", "RGB") if header.photometric in _YBR else array


def _finished(array: NDArray[Any], header: Header, bits: int) -> tuple[NDArray[Any], int]:
    """Return values from 0 for black, in 8 or 16 bits."""
    if array.dtype.kind == "i":
        if array.min() < 0:
            raise ImageError(f"the DICOM image has negative values; {_EXPORT_AGAIN}")
        array = array.view(array.dtype.str.replace("i", "u"))
    if header.photometric == "PALETTE COLOR":
        array, bits = _coloured(array, header)
    most = (1 << bits) - 1
    if array.dtype.itemsize > 2 or bits < 8 * array.dtype.itemsize:
        array = np.minimum(array, most)
    if header.photometric == "MONOCHROME1":
        array = most - array
    if bits < 8:
        array, bits = upper_bits(array.astype(np.uint16), bits), 8
    return np.ascontiguousarray(array, np.uint8 if bits == 8 else np.uint16), bits


def _coloured(array: NDArray[Any], header: Header) -> tuple[NDArray[Any], int]:
    """Look the values up in the palette (PS3.3, C.7.6.3.1.5)."""
    from pydicom.dataset import Dataset
    from pydicom.pixels import apply_color_lut

    if header.palette is None:
        raise ImageError("the DICOM image's palette is missing or segmented; export the image in RGB")
    lookup = Dataset()
    for colour, data in zip(("Red", "Green", "Blue"), header.palette.tables, strict=True):
        setattr(lookup, f"{colour}PaletteColorLookupTableDescriptor", [*header.palette.descriptor])
        setattr(lookup, f"{colour}PaletteColorLookupTableData", data)
    coloured = apply_color_lut(array, lookup)
    return coloured, 8 if coloured.dtype.itemsize == 1 else header.palette.descriptor[2]
