"""Read image files completely or not at all: the result is the full image or an error that says why not."""

from __future__ import annotations

import stat
from pathlib import Path

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.decoding import SAVE_AGAIN, decode, frames_of
from retinagan.runtime.images.dicom.classes import HEAD_BYTES, is_dicom
from retinagan.runtime.images.dicom.reading import dicom_frames, read_dicom
from retinagan.runtime.images.formats import SUFFIXES, plugin_for
from retinagan.runtime.images.integrity import COPY_AGAIN
from retinagan.runtime.images.photograph import Photograph

__all__ = ["MAX_PIXELS", "SUFFIXES", "Photograph", "count_frames", "decode_image", "read_image"]

MAX_PIXELS = 100_000_000
"""Images with more pixels than this are refused before they are decoded."""


def read_image(path: str | Path, *, frame: int | None = None, max_pixels: int = MAX_PIXELS) -> Photograph:
    """Read one image of a file, with what the file declares about it.

    Formats are PNG, JPEG, TIFF, BMP, PPM, WebP, GIF, JPEG 2000, HEIC if pillow-heif is installed, and DICOM
    if pydicom is; they are recognised by content. The EXIF orientation is applied, alpha is dropped, palettes
    are expanded, and CMYK becomes RGB. Colour profiles are ignored: the numbers are those in the file.

    If a file holds several full-size images (pages of a TIFF, views of a stereo photograph (MPO), frames of
    an animation or of a DICOM object), the first is read, with the warning ``first-of-several-frames``.
    Thumbnails do not count.

    Parameters
    ----------
    path : str or Path
        A regular file, which is read once.
    frame : int, optional
        Number of the full-size image to read, from 1; suppresses that warning.
    max_pixels : int
        Images with more pixels are refused before they are decoded.

    Returns
    -------
    Photograph
        `Segmenter` takes it as it is, and uses the angle that the file declares.

    Raises
    ------
    ImageError
        If the file is missing, unreadable, empty, not an image, unsupported, too large, truncated or damaged,
        or has no such frame. The message does not contain the path.
    """
    return decode_image(_read_bytes(Path(path), max_pixels), frame=frame, max_pixels=max_pixels)


def decode_image(data: bytes, *, frame: int | None = None, max_pixels: int = MAX_PIXELS) -> Photograph:
    """Return one image of a file's content, as `read_image` does for a path.

    Raises
    ------
    ImageError
        As of `read_image`.
    """
    if not data:
        raise ImageError(f"the file is empty (0 bytes); {COPY_AGAIN}")
    try:
        if is_dicom(data[:HEAD_BYTES]):
            return read_dicom(data, max_pixels, _most_bytes(max_pixels), frame)
        return decode(data, plugin_for(data), max_pixels, frame)
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError("not enough memory to decode the image; make it smaller") from error
    except Exception as error:  # decoders meet damaged files with errors of any kind
        raise ImageError(
            f"truncated, damaged or of a kind that is not supported ({error}); {COPY_AGAIN}, or {SAVE_AGAIN}"
        ) from error


def count_frames(path: str | Path) -> int:
    """Return how many full-size images a file holds; 1 if it cannot be read."""
    try:
        return frames_in(_read_bytes(Path(path), MAX_PIXELS))
    except ImageError:
        return 1


def frames_in(data: bytes) -> int:
    """Return how many full-size images a file's content holds; 1 if it cannot be read."""
    try:
        if is_dicom(data[:HEAD_BYTES]):
            return dicom_frames(data, MAX_PIXELS, _most_bytes(MAX_PIXELS))
        return frames_of(data, plugin_for(data))
    except Exception:  # decoders meet damaged files with errors of any kind
        return 1


def check_bytes(size: int, max_pixels: int = MAX_PIXELS) -> None:
    """Raise ImageError if a file is larger than any image of that many pixels can be."""
    limit = _most_bytes(max_pixels)
    if size > limit:
        raise ImageError(f"the file is larger than {limit >> 20} MiB; make the image smaller or crop it")


def _most_bytes(max_pixels: int) -> int:
    """Return the length of the largest file: 16-bit RGBA, not compressed, and room for what else it holds."""
    return 8 * max_pixels + (64 << 20)


def _read_bytes(path: Path, max_pixels: int) -> bytes:
    """Return the file's content, unless it is larger than any image of that many pixels can be."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ImageError("this is a folder; expected an image file")
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("not a regular file (a device, pipe or socket); expected an image file")
        check_bytes(status.st_size, max_pixels)
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
    return data
