"""What the pictures of results are called, and the mark by which they are known as ours."""

import os
import struct
import zlib
from pathlib import Path

KINDS = ("vessels", "probability", "overlay")
"""The pictures that an image can have: ``<name>_<kind>.png``."""

_MARK = b"Software\0retina-run"  # the content of a tEXt chunk
_HEAD = 33  # bytes before it: PNG's signature and its IHDR chunk


def picture_name(stem: str, kind: str) -> str:
    """Give a picture's path in the output folder."""
    return f"{stem}_{kind}.png"


def marked(png: bytes) -> bytes:
    """Give a PNG file's content with a text in its head that says that `retina-run` wrote it."""
    text = b"tEXt" + _MARK
    chunk = struct.pack(">I", len(_MARK)) + text + struct.pack(">I", zlib.crc32(text))
    return png[:_HEAD] + chunk + png[_HEAD:]


def is_own_picture(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a picture that `retina-run` wrote, by its name and the mark in its head."""
    if not os.fspath(path).endswith(tuple(picture_name("", kind) for kind in KINDS)):
        return False
    try:
        if not Path(path).is_file():  # opening a pipe would wait for its other end
            return False
        with Path(path).open("rb") as file:
            return _MARK in file.read(_HEAD + 8 + len(_MARK))
    except OSError:
        return False
