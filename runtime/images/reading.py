"""Read image files whole or not at all: every file gives its full image or an error that says why not.

Pillow reads the header, decodes, and refuses truncated files. It cannot hold 16-bit colour, so OpenCV
decodes that a second time, and is believed where it agrees with Pillow's upper eight bits: OpenCV by
itself returns half images for truncated files.
"""

from __future__ import annotations

import io
import re
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.integrity import check_jpeg, check_png, check_tiff

__all__ = ["MAX_PIXELS", "SUFFIXES", "read_image"]

MAX_PIXELS = 100_000_000
"""Images with more pixels than this are refused before they are decoded."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".pbm", ".pnm", ".webp", ".gif")
"""File name endings of the formats that `read_image` knows, lower case; it goes by content, not by name."""

# The plugins are called directly: Image.open would warn of sizes that are allowed here.
_FORMATS: tuple[tuple[re.Pattern[bytes], Callable[[io.BytesIO], ImageFile]], ...] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), PngImageFile),
    (re.compile(rb"\xff\xd8\xff"), JpegImageFile),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), TiffImageFile),
    (re.compile(rb"BM"), BmpImageFile),
    (re.compile(rb"P[1-6]\s"), PpmImageFile),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), WebPImageFile),
    (re.compile(rb"GIF8[79]a"), GifImageFile),
)
_CHECKS: dict[Callable[[io.BytesIO], ImageFile], Callable[[bytes], None]] = {
    PngImageFile: check_png,
    JpegImageFile: check_jpeg,
    TiffImageFile: check_tiff,
}
_EXPECTED = "expected PNG, JPEG, TIFF, BMP, PPM, WebP or GIF"
_COPY_AGAIN = "copy it again from its source"
_SAVE_AGAIN = "save it as 8-bit or 16-bit grey or RGB"
_BITS_PER_SAMPLE, _PHOTOMETRIC, _ORIENTATION = 258, 262, 274  # TIFF and EXIF tags
_pillow_limit = threading.Lock()


def read_image(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Read an image file.

    PNG, JPEG, TIFF, BMP, PPM, WebP or GIF, told apart by content; of several frames the first. The EXIF
    orientation is applied, alpha is dropped, palettes are expanded, CMYK becomes RGB. Colour profiles are
    ignored: the numbers are those in the file.

    Parameters
    ----------
    path : str or Path
        A regular file; it is read once.
    max_pixels : int
        Larger images are refused by their header.

    Returns
    -------
    (H, W) or (H, W, 3), uint8 or uint16
        Grey or RGB, C-contiguous. Values as in the file: 12-bit data in 16 bits stay 0 to 4095.
        1-bit images become 0 and 255.

    Raises
    ------
    ImageError
        If the file is missing, not readable, empty, no image, of a kind that is not supported, too large,
        truncated or damaged. The text does not repeat the path.
    """
    data = _read_bytes(Path(path), max_pixels)
    kind = next((plugin for signature, plugin in _FORMATS if signature.match(data)), None)
    if kind is None:
        raise ImageError(f"not an image that can be read (it begins with {data[:8]!r}); {_EXPECTED}")
    try:
        return _decode(data, kind, max_pixels)
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError("not enough memory to decode the image; make it smaller") from error
    except Exception as error:  # decoders meet damaged files with errors of any kind
        raise ImageError(
            f"truncated, damaged or of a kind that is not supported ({error}); "
            f"{_COPY_AGAIN}, or {_SAVE_AGAIN}"
        ) from error


def _read_bytes(path: Path, max_pixels: int) -> bytes:
    """Return the file's content, unless it is longer than any image of that many pixels would be."""
    limit = 8 * max_pixels + (64 << 20)  # 16-bit RGBA, not compressed, and room for what else a file holds
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ImageError("this is a folder; expected an image file")
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("this is no regular file (a device, pipe or socket); expected an image file")
        if status.st_size > limit:
            raise ImageError(f"the file is larger than {limit >> 20} MiB; make the image smaller or crop it")
        with path.open("rb") as file:
            data = file.read(status.st_size)
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError("no such file; check the path") from error
    except PermissionError as error:
        raise ImageError("no permission to read the file; change its permissions or the user") from error
    except (OSError, ValueError) as error:
        raise ImageError(f"the file cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not data:
        raise ImageError(f"the file is empty (0 bytes); {_COPY_AGAIN}")
    return data


def _decode(
    data: bytes, plugin: Callable[[io.BytesIO], ImageFile], max_pixels: int
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Return the image with its orientation applied; raise whatever the decoder raises if it is not whole."""
    if plugin in _CHECKS:
        _CHECKS[plugin](data)
    if plugin is WebPImageFile:
        _check_size(_webp_size(data), max_pixels)  # before the plugin, which allocates the canvas
    with plugin(io.BytesIO(data)) as image:
        _check_size(image.size, max_pixels)
        if plugin is PpmImageFile and (deep := _deep_ppm(data, image.size)) is not None:
            return deep
        bits = _bits(image, data)
        white_is_0 = isinstance(image, TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == 0
        orientation = _orientation(image)
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
        raise ImageError(f"{bits}-bit {mode} is not supported; {_SAVE_AGAIN}")
    return _sixteen(data, eight, orientation)


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ImageError(
            f"the image has {width}x{height} = {width * height} pixels; expected at most {max_pixels}: "
            "make it smaller or crop it"
        )


def _load(image: ImageFile) -> None:
    """Decode; Pillow's own size limit, which some plugins test again here, is not ours."""
    if image.mode == "F":
        raise ImageError(f"32-bit floating point values are not supported; {_SAVE_AGAIN}")
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
    """Return the bits of one channel as the file stores it; Pillow's mode does not tell."""
    if isinstance(image, PngImageFile):
        return data[24]
    if isinstance(image, TiffImageFile):
        return int(max(image.tag_v2.get(_BITS_PER_SAMPLE, (1,))))
    return 8


def _orientation(image: ImageFile) -> int:
    return int(image.getexif().get(_ORIENTATION, 1))


def _oriented(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return the array turned upright from an EXIF orientation (1 to 8; others mean nothing)."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)


def _gray16(image: ImageFile) -> NDArray[np.uint16]:
    """Return 16-bit grey, which Pillow holds in 16 or 32 bits, in either byte order."""
    array = np.asarray(image)
    if array.dtype.itemsize > 2:
        least, most = int(array.min()), int(array.max())
        if least < 0 or most > 65535:
            raise ImageError(f"values from {least} to {most} do not fit in 16 bits; {_SAVE_AGAIN}")
    return array.astype(np.uint16)


def _sixteen(data: bytes, eight: NDArray[np.uint8], orientation: int) -> NDArray[np.uint16]:
    """Return 16-bit colour as OpenCV decodes it, if its upper eight bits are what Pillow found."""
    decoded: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is not None and decoded.dtype == np.uint16:
        if decoded.ndim == 3:
            decoded = decoded[:, :, 2::-1] if eight.ndim == 3 else decoded[:, :, 0]
        for upright in (decoded, _oriented(decoded, orientation)):  # OpenCV turns some formats itself
            if upright.shape == eight.shape and np.array_equal(upright >> 8, eight):
                return np.ascontiguousarray(upright)
    raise ImageError(f"this kind of 16-bit colour is not supported; {_SAVE_AGAIN}")


def _deep_ppm(data: bytes, size: tuple[int, int]) -> NDArray[np.uint16] | None:
    """Return a PPM of more than 8 bits, which Pillow would cut to 8 in colour; None if it has 8 or fewer."""
    header = re.match(rb"P([2356])" + 3 * rb"(?:\s|#[^\n]*\n)+(\d+)" + rb"\s", data)
    if header is None or int(header[4]) < 256:
        return None
    if header[1] in b"23":
        raise ImageError("text PPM of more than 8 bits is not supported; save it as binary PPM")
    width, height = size
    shape = (height, width) if header[1] == b"5" else (height, width, 3)
    values = np.frombuffer(data, ">u2", offset=header.end(), count=int(np.prod(shape)))
    return values.reshape(shape).astype(np.uint16)


def _webp_size(data: bytes) -> tuple[int, int]:
    """Return width and height from the header of a WebP file (RFC 9649)."""
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        packed = int.from_bytes(data[21:25], "little")
        return 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
