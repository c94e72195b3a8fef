"""The supported image formats, recognised by content: a file name may be wrong or lack an extension."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from retinagan.runtime.dicom.mark import is_own_object
from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.dicom.classes import HEAD_BYTES, class_uid, is_dicom, is_photograph

Plugin = Callable[[io.BytesIO], ImageFile]

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".tif", ".tiff", ".bmp"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".webp", ".gif", ".jp2", ".j2k", ".heic", ".heif"),
)
"""File name extensions of the supported formats, in lower case."""

LOOK_BYTES = HEAD_BYTES
"""Bytes at a file's start by which `look_into` tells what it is."""

EXPECTED = "expected PNG, JPEG, TIFF, BMP, PPM, WebP, GIF, JPEG 2000, HEIC or DICOM"

# The plugins are called directly: Image.open would warn of sizes that are allowed here.
_FORMATS: tuple[tuple[re.Pattern[bytes], Plugin], ...] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), PngImageFile),
    (re.compile(rb"\xff\xd8\xff"), JpegImageFile),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), TiffImageFile),
    (re.compile(rb"BM"), BmpImageFile),
    (re.compile(rb"P[1-6]\s"), PpmImageFile),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), WebPImageFile),
    (re.compile(rb"GIF8[79]a"), GifImageFile),
    (re.compile(rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"), Jpeg2KImageFile),
)
_HEIF = re.compile(rb"....ftyp(hei[cxms]|hev[cxms]|mif1|msf1)", re.DOTALL)
_SIGNATURE_BYTES = 16
_DICOM_SUFFIXES = (".dcm", ".dicom")
_DIGITS = re.compile(r"\.\d+|")


def plugin_for(data: bytes) -> Plugin:
    """Return the Pillow plugin that opens a file with this content.

    Raises
    ------
    ImageError
        If the format is not supported, or is HEIC and pillow-heif is not installed.
    """
    plugin = next((plugin for signature, plugin in _FORMATS if signature.match(data)), None)
    if plugin is not None:
        return plugin
    if is_heif(data):
        return _heif_plugin()
    raise ImageError(f"not an image that can be read (it begins with {data[:8]!r}); {EXPECTED}")


class Look(NamedTuple):
    """What a file is at first sight: an image or not.

    `dicom_class` is the UID of the class of a DICOM object that is none. `is_own` tells whether a DICOM
    object is a result of this package, such as an overlay, which is no image to segment either.
    """

    is_image: bool
    dicom_class: str = ""
    is_own: bool = False


def look_at(path: str) -> Look:
    """Tell whether a file is an image by its extension, or by its content if that is of no image format.

    DICOM files are found whatever their extension; other formats if it is missing or only digits. A file that
    is called a DICOM file and is empty or none counts as an image, so that it is not lost in silence.
    """
    if Path(path).suffix.lower() in SUFFIXES:
        return Look(True)
    try:
        if not Path(path).is_file():  # opening a pipe or a device would wait or do harm
            return Look(False)
        with Path(path).open("rb") as file:
            head = file.read(LOOK_BYTES)
    except OSError:
        return Look(Path(path).suffix.lower() in _DICOM_SUFFIXES)
    return look_into(path, head)


def may_be_an_image(name: str) -> bool:
    """Whether a look into a file is worth its cost: its name has no extension, digits for one, or DICOM's."""
    suffix = Path(name).suffix.lower()
    return _DIGITS.fullmatch(suffix) is not None or suffix in (*_DICOM_SUFFIXES, ".ima")


def look_into(name: str, head: bytes) -> Look:
    """Tell whether a file is an image by its name and its first `LOOK_BYTES`."""
    suffix = Path(name).suffix.lower()
    if suffix in SUFFIXES:
        return Look(True)
    if is_dicom(head):
        if is_own_object(head):
            return Look(False, is_own=True)
        uid = class_uid(head)
        return Look(True) if is_photograph(uid) else Look(False, uid)
    if not _DIGITS.fullmatch(suffix) or len(head) < _SIGNATURE_BYTES:
        return Look(suffix in _DICOM_SUFFIXES)
    known = (*(signature for signature, _ in _FORMATS), _HEIF)
    return Look(any(signature.match(head) for signature in known))


def is_heif(data: bytes) -> bool:
    """Whether a file is a HEIC image by its first bytes."""
    return _HEIF.match(data) is not None


def looks_like_an_image(path: str) -> bool:
    """Whether a file is an image at first sight."""
    return look_at(path).is_image


def _heif_plugin() -> Plugin:
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise ImageError(
            'HEIC needs pillow-heif: pip install "retinagan[heic]", or save it as PNG'
        ) from error
    plugin: Plugin = HeifImageFile
    return plugin
