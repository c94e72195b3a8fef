"""Decode one image of a file: its values as stored, upright, and what the file declares about them.

Pillow reads the header, decodes, and refuses truncated files. It cannot hold 16-bit colour, so OpenCV
decodes those files a second time, and its result counts if the upper eight bits agree with Pillow's: OpenCV
alone returns half images for truncated files. simplejpeg decodes JPEG images, because only it reports the
damage that libjpeg finds.
"""

from __future__ import annotations

import io
import re
import threading
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.depth import bit_depth
from retinagan.runtime.images.formats import Plugin, is_heif
from retinagan.runtime.images.heif import check_heif
from retinagan.runtime.images.integrity import COPY_AGAIN, check_jpeg2000, check_png, png_significant_bits
from retinagan.runtime.images.jpeg import decode_jpeg, jpeg_images
from retinagan.runtime.images.photograph import Photograph, frame_number, frame_warnings
from retinagan.runtime.images.tiff import Tiff
from retinagan.runtime.images.webp import check_webp, shortened, webp_size

SAVE_AGAIN = "save it as 8-bit or 16-bit grey or RGB"
"""What to do about a file of a kind that is not supported."""

_BITS_PER_SAMPLE, _PHOTOMETRIC, _ORIENTATION = 258, 262, 274  # TIFF and EXIF tags
_pillow_limit = threading.Lock()


@dataclass(frozen=True)
class _Selected:
    """One image of a file, ready to decode: the first one in `data`, or the frame number in `seek`."""

    data: bytes
    frame: int
    frames: int
    seek: int = 0
    declared: int | None = None


def decode(data: bytes, plugin: Plugin, max_pixels: int, frame: int | None) -> Photograph:
    """Return one image of a file.

    Parameters
    ----------
    data : bytes
        The whole file.
    plugin : callable
        Opens the file; see `retinagan.runtime.images.formats.plugin_for`.
    max_pixels : int
        Images with more pixels are refused before they are decoded.
    frame : int or None
        Number of the full-size image, from 1. None takes the first and warns if there are others.

    Raises
    ------
    ImageError
        If the image is damaged, too large, or of an unsupported kind. For damaged files, decoders may also
        raise other exceptions.
    """
    selected = _select(data, plugin, frame, max_pixels)
    pixels = _pixels(selected, plugin, max_pixels)
    depth = bit_depth(pixels, selected.declared)
    warnings = (*frame_warnings(frame, selected.frames), *depth.warnings)
    return Photograph(pixels, depth.bits, selected.frame, selected.frames, warnings)


def frames_of(data: bytes, plugin: Plugin) -> int:
    """Return how many full-size images a file holds, without decoding one."""
    return _select(data, plugin, None, None).frames


def _select(data: bytes, plugin: Plugin, frame: int | None, max_pixels: int | None) -> _Selected:
    """Find the requested image; check that its data are complete unless `max_pixels` is None."""
    number = 1 if frame is None else frame
    if plugin is TiffImageFile:
        tiff = Tiff(data)
        pages = tiff.photographs()
        page = _numbered(pages, number)
        if max_pixels is not None:
            check_size(page.size, max_pixels)
            tiff.check(page)
        return _Selected(tiff.with_first(page), number, len(pages), declared=page.declared_bits)
    if plugin is JpegImageFile:
        images = jpeg_images(data)
        largest = max(image.width * image.height for image in images)
        full = [image for image in images if 4 * image.width * image.height > largest]
        image = _numbered(full, number)
        return _Selected(data[image.start : image.end] if images[1:] else data, number, len(full))
    checks = {PngImageFile: check_png, WebPImageFile: check_webp, Jpeg2KImageFile: check_jpeg2000}
    if plugin in checks:
        checks[plugin](data)
    elif is_heif(data):
        check_heif(data)
    declared = png_significant_bits(data) if plugin is PngImageFile else None
    return replace(_animation(data, plugin, number), declared=declared)


def _numbered(images: list[Any], number: int) -> Any:
    return images[frame_number(number, len(images)) - 1]


def _animation(data: bytes, plugin: Plugin, number: int) -> _Selected:
    """Count the frames of an animation, if the file is one."""
    if plugin is PpmImageFile or (plugin is WebPImageFile and b"ANMF" not in data):
        return _Selected(data, number, 1)  # opening a WebP allocates its canvas
    with plugin(io.BytesIO(data)) as image:
        frames = int(getattr(image, "n_frames", 1))
    _numbered([None] * frames, number)
    return _Selected(data, number, frames, seek=number - 1)


def _pixels(selected: _Selected, plugin: Plugin, max_pixels: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Return the image upright; a decoder's exception for damaged data passes through."""
    data = selected.data
    if plugin is WebPImageFile:
        check_size(webp_size(data), max_pixels)  # before the plugin, which allocates the canvas
        if any(map(_decodes_webp, shortened(data))):
            raise ImageError(f"damaged (the WebP image ends before its data); {COPY_AGAIN}")
    with plugin(io.BytesIO(data)) as image:
        check_size(image.size, max_pixels)
        if plugin is PpmImageFile and (deep := _deep_ppm(data, image.size)) is not None:
            return deep
        bits = _bits(image, data)
        white_is_0 = isinstance(image, TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == 0
        orientation = _orientation(image)
        if plugin is JpegImageFile:
            return _oriented(_jpeg(image, data, max_pixels), orientation)
        if selected.seek:
            image.seek(selected.seek)
        _load(image)
        remaining = _orientation(image)  # Pillow has applied that of a TIFF, and of no other file
        if image.mode.startswith("I"):
            gray = _gray16(image)
            return _oriented(~gray if white_is_0 else gray, remaining)
        image.info.pop("transparency", None)  # Pillow would try to keep it through the conversion
        mode = image.mode
        eight = np.array(image.convert("L" if mode in ("1", "L", "LA") else "RGB"))
    eight = _oriented(eight, remaining)
    if bits <= 8:
        return eight
    if mode not in ("LA", "RGB", "RGBA"):
        raise ImageError(f"{bits}-bit {mode} is not supported; {SAVE_AGAIN}")
    return _sixteen(data, eight, orientation)


def _decodes_webp(data: bytes) -> bool:
    try:
        with WebPImageFile(io.BytesIO(data)) as image:
            _load(image)
    except Exception:  # of any kind: the data are incomplete
        return False
    return True


def _jpeg(image: ImageFile, data: bytes, max_pixels: int) -> NDArray[np.uint8]:
    """Decode grey or RGB with simplejpeg; check CMYK with it, then convert with Pillow."""
    decoded = decode_jpeg(data, max_pixels)
    if image.mode not in ("L", "RGB"):
        _load(image)
        decoded = np.array(image.convert("RGB"))
    return decoded


def check_size(size: tuple[int, int], max_pixels: int) -> None:
    """Raise ImageError if an image of this width and height has too many pixels."""
    width, height = size
    if width * height > max_pixels:
        raise ImageError(
            f"the image has {width}x{height} = {width * height} pixels; expected at most {max_pixels}: "
            "make it smaller or crop it"
        )


def _load(image: ImageFile) -> None:
    """Decode without Pillow's own size limit, which some plugins apply here again."""
    if image.mode == "F":
        raise ImageError(f"32-bit floating point values are not supported; {SAVE_AGAIN}")
    limit = Image.MAX_IMAGE_PIXELS
    if limit is None or image.width * image.height <= limit:
        image.load()
        return
    with _pillow_limit:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image.load()
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _bits(image: ImageFile, data: bytes) -> int:
    """Return the bits per channel in the file, which Pillow's mode does not tell."""
    if isinstance(image, PngImageFile):
        return data[24]
    if isinstance(image, TiffImageFile):
        return int(max(image.tag_v2.get(_BITS_PER_SAMPLE, (1,))))
    return 8


def _orientation(image: ImageFile) -> int:
    return int(image.getexif().get(_ORIENTATION, 1))


def _oriented(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return the array turned upright by an EXIF orientation, 1 to 8; ignore other values."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)


def _gray16(image: ImageFile) -> NDArray[np.uint16]:
    """Return 16-bit grey values, which Pillow stores in 16 or 32 bits of either byte order."""
    array = np.asarray(image)
    if array.dtype.itemsize > 2:
        least, most = int(array.min()), int(array.max())
        if least < 0 or most > 65535:
            raise ImageError(f"values from {least} to {most} do not fit in 16 bits; {SAVE_AGAIN}")
    return array.astype(np.uint16)


def _sixteen(data: bytes, eight: NDArray[np.uint8], orientation: int) -> NDArray[np.uint16]:
    """Decode 16-bit colour with OpenCV; require that the upper eight bits equal Pillow's result."""
    decoded: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is not None and decoded.dtype == np.uint16:
        if decoded.ndim == 3:
            decoded = decoded[:, :, 2::-1] if eight.ndim == 3 else decoded[:, :, 0]
        for upright in (decoded, _oriented(decoded, orientation)):  # OpenCV turns some formats itself
            if upright.shape == eight.shape and np.array_equal(upright >> 8, eight):
                return np.ascontiguousarray(upright)
    raise ImageError(f"this kind of 16-bit colour is not supported; {SAVE_AGAIN}")


def _deep_ppm(data: bytes, size: tuple[int, int]) -> NDArray[np.uint16] | None:
    """Return a PPM of more than 8 bits, which Pillow reduces to 8 in colour; None for 8 bits or fewer."""
    header = re.match(rb"P([2356])" + 3 * rb"(?:\s|#[^\n]*\n)+(\d+)" + rb"\s", data)
    if header is None or int(header[4]) < 256:
        return None
    if header[1] in b"23":
        raise ImageError("text PPM of more than 8 bits is not supported; save it as binary PPM")
    width, height = size
    shape = (height, width) if header[1] == b"5" else (height, width, 3)
    values = np.frombuffer(data, ">u2", offset=header.end(), count=int(np.prod(shape)))
    return values.reshape(shape).astype(np.uint16)
