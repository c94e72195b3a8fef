"""Decompress one frame of a DICOM object, after its own header is checked against the object's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.dicom.codestream import Codestream, codestream_of
from retinagan.runtime.images.dicom.header import Header, scrambled
from retinagan.runtime.images.integrity import COPY_AGAIN, check_jpeg2000
from retinagan.runtime.images.jpeg import decode_jpeg, jpeg_images

_UNCOMPRESSED = "export the image uncompressed"
_RLE = "1.2.840.10008.1.2.5"
_STORED_AS_RGB = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"  # a marker that keeps libjpeg from a conversion


class Values(NamedTuple):
    """The values of a frame.

    Attributes
    ----------
    array : (H, W) or (H, W, 3) integers
        Colours as they are stored, unless `is_rgb`.
    bits : int
        Bits in use.
    is_rgb : bool
        Whether the frame itself says that its colours are RGB, whatever the object's header says.
    """

    array: NDArray[Any]
    bits: int
    is_rgb: bool = False


def decompress(frame: bytes, header: Header) -> Values:
    """Decompress a frame.

    Raises
    ------
    ImageError
        If the frame is damaged, has another size than the header declares, is compressed in a way that is not
        supported, or needs python-gdcm.
    """
    if header.transfer_syntax == _RLE:
        return Values(bits_in_use(_run_lengths(frame, header), header), header.stored)
    found = codestream_of(frame)
    if found is None:
        if header.zeiss:
            raise scrambled()
        raise ImageError(
            f"damaged, or compressed in a way that is not supported ({_syntax_name(header)}); {_UNCOMPRESSED}"
        )
    _check_fits(found, header)
    if found.kind == "jpeg" and found.bits == 8:
        return Values(_jpeg(frame, found), 8, found.stored_as != "")
    if found.kind == "jpeg-2000":
        end = frame.rfind(b"\xff\xd9") + 2
        frame = frame[:end] if len(frame) - end == 1 else frame  # a byte that makes the length even
        check_jpeg2000(frame)
    array = _by_plugin(frame, found, header)
    exceeds = header.stored < found.bits and bool((array >> header.stored).any())
    bits = found.bits if exceeds else min(header.stored, found.bits)
    return Values(array, bits, found.stored_as == "rgb")


def bits_in_use(array: NDArray[Any], header: Header) -> NDArray[Any]:
    """Return values without the bits above and below those in use, which may hold something else."""
    size = 8 * array.dtype.itemsize
    if header.stored == size or header.allocated == 1:
        return array
    below = header.high_bit + 1 - header.stored
    if array.dtype.kind == "u":
        return array >> below & ((1 << header.stored) - 1)
    return array << (size - header.high_bit - 1) >> (size - header.stored)  # the sign is the highest bit


def by_pydicom(value: bytes, header: Header, index: int, plugin: str = "", **options: Any) -> NDArray[Any]:
    """Decode the frame of a number, from 0, with pydicom; colours stay as they are stored."""
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    array: NDArray[Any] = get_decoder(UID(header.transfer_syntax)).as_array(
        value,
        index=index,
        validate=False,  # what it would check is checked before, or only leads to warnings
        raw=True,
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


def _syntax_name(header: Header) -> str:
    """Return the name of the transfer syntax; its UID if it has none."""
    from pydicom.uid import UID

    return str(UID(header.transfer_syntax).name)


def _check_fits(found: Codestream, header: Header) -> None:
    """Raise ImageError unless a compressed frame has the size and depth that the file declares."""
    declared = (header.columns, header.rows, header.samples)
    if (found.width, found.height, found.components) != declared:
        raise ImageError(
            f"damaged (a frame has {found.width}x{found.height} pixels and {found.components} colours; "
            f"the header declares {header.columns}x{header.rows} and {header.samples}); {COPY_AGAIN}"
        )
    if not 1 <= found.bits <= min(header.allocated, 16):
        raise ImageError(
            f"damaged (a frame of {found.bits} bits; the header declares {header.allocated}); {COPY_AGAIN}"
        )


def _jpeg(frame: bytes, found: Codestream) -> NDArray[np.uint8]:
    """Decode 8-bit JPEG as a JPEG file: damage that libjpeg finds is an error.

    libjpeg returns RGB where the data say what their colours are, and values as stored where they do not.
    """
    image = jpeg_images(frame)[0]
    data = frame[image.start : image.end]
    if not found.stored_as and found.components == 3:
        data = data[:2] + _STORED_AS_RGB + data[2:]
    return decode_jpeg(data, found.width * found.height)


def _by_plugin(frame: bytes, found: Codestream, header: Header) -> NDArray[Any]:
    """Decode with Pillow what it decodes right, all else with python-gdcm, if that is installed."""
    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    name = f"{_syntax_name(header)} of {found.bits} bits"
    try:
        decoder = get_decoder(UID(header.transfer_syntax))
    except NotImplementedError:
        decoder = None
    if decoder is None or found.kind == "jpeg":  # of 12 bits, which neither decodes
        raise ImageError(f"{name} is not supported; {_UNCOMPRESSED}")
    by_pillow = found.kind == "jpeg-2000" and (found.components == 1 or found.bits <= 8)
    plugin = "pillow" if by_pillow else "gdcm"
    if plugin not in decoder.available_plugins:
        raise ImageError(f"{name} needs python-gdcm: pip install python-gdcm, or {_UNCOMPRESSED}")
    single = replace(header, stored=found.bits, frames=1, offsets=None)
    try:
        return by_pydicom(encapsulate([frame]), single, 0, plugin)
    except RuntimeError as error:  # pydicom's, with the decoder's own text
        reason = " ".join(str(error).partition("plugins:")[2].split())
        raise ImageError(f"damaged ({reason or error}); {COPY_AGAIN}") from error


def _run_lengths(frame: bytes, header: Header) -> NDArray[Any]:
    """Decode RLE (PS3.5, annex G): a plane for each byte of each colour, the most significant first.

    Pillow's decoder stops at the size of the image, however much follows.
    """
    pixels, depth = header.rows * header.columns, header.allocated // 8
    count = int.from_bytes(frame[:4], "little")
    if count != header.samples * depth or not depth:
        raise ImageError(f"damaged ({count} RLE segments; expected {header.samples * depth}); {COPY_AGAIN}")
    starts = [int.from_bytes(frame[4 * number : 4 * number + 4], "little") for number in range(1, count + 1)]
    planes = []
    for start, end in zip(starts, [*starts[1:], len(frame)], strict=True):
        try:
            plane = Image.frombytes("L", (pixels, 1), frame[start:end], "packbits", "L")
        except (ValueError, OSError) as error:
            raise ImageError(f"truncated (an RLE segment ends too early); {COPY_AGAIN}") from error
        planes.append(np.asarray(plane, np.uint8).reshape(header.rows, header.columns))
    dtype = f"<{'i' if header.signed else 'u'}{depth}"
    colours = [
        np.stack(planes[place : place + depth][::-1], axis=-1).view(dtype)[..., 0]
        for place in range(0, count, depth)
    ]
    return colours[0] if header.samples == 1 else np.stack(colours, axis=-1)
