"""Names of the result pictures, tables and DICOM objects, and the mark that identifies them as ours."""

import os
import re
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

from retinagan.runtime.dicom.mark import HEAD, is_own_file

_UID = re.compile(r"\d+(\.\d+){3,}")  # as DICOM files are called; its end is no extension

PICTURES = ("vessels", "probability", "overlay", "panel")
"""The pictures that an image can have."""

OBJECTS = {
    "dicom-seg": "vessels",
    "dicom-probability": "probability",
    "dicom-overlay": "overlay",
    "dicom-sr": "report",
}
"""The DICOM objects that a DICOM image can have, and how the names of their files end before ``.dcm``."""

TABLES = ("segments",)
"""The tables that an image can have."""

KINDS = (*PICTURES, *TABLES, *OBJECTS)
"""All that can be written of an image."""

OVERLAY_FORMATS = {"jpeg": ".jpg", "webp": ".webp", "png": ".png"}
"""The formats of overlays and panels with their extensions, the default first; maps are PNG."""

OVERLAY_COLOURS = ("vessels", "probability", "calibre")
"""What an overlay's vessels are coloured by: one colour for all, or a value of each pixel."""

COLOURED = ("overlay", "panel", "dicom-overlay")
"""The kinds that show an overlay."""

_IN_OVERLAY_FORMAT = ("overlay", "panel")

SEGMENTS_HEAD = (
    b"segment,start_x_pixels,start_y_pixels,end_x_pixels,end_y_pixels,start_at,end_at,ring,quadrant,"
)
"""How a table of segments begins, which identifies it as ours."""

MARK = b"Software\0retina-run"  # a PNG's tEXt chunk, a JPEG's comment
XMP_MARK = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="retina-run"/>'
    b"</rdf:RDF></x:xmpmeta>"
)  # the last chunk of a WebP file
PNG_HEAD = 33  # bytes before the mark: PNG's signature and its IHDR chunk
JPEG_HEAD = 20  # JPEG's start and its JFIF segment
_MARKED = max(PNG_HEAD, JPEG_HEAD) + 8 + len(MARK)  # bytes at a picture's start that hold the mark


def objects_among(kinds: Iterable[str]) -> tuple[str, ...]:
    """Return which of these kinds are DICOM objects."""
    return tuple(kind for kind in kinds if kind in OBJECTS)


def picture_name(stem: str, kind: str, overlay_format: str = "jpeg") -> str:
    """Return a picture's path in the output folder: ``<stem>_vessels.png``, ``<stem>_overlay.jpg``.

    A DICOM object's is ``<stem>_vessels.dcm``, a table's ``<stem>_segments.csv``.
    """
    if kind in TABLES:
        return f"{stem}_{kind}.csv"
    if kind in OBJECTS:
        return f"{stem}_{OBJECTS[kind]}.dcm"
    suffix = OVERLAY_FORMATS[overlay_format] if kind in _IN_OVERLAY_FORMAT else ".png"
    return f"{stem}_{kind}{suffix}"


def picture_names(stem: str, kind: str) -> list[str]:
    """Return all paths that a picture may have, of which one is in use."""
    return list(dict.fromkeys(picture_name(stem, kind, name) for name in OVERLAY_FORMATS))


def stem_and_frame(name: str) -> tuple[str, str]:
    """Return an image's name without its extension, and the number that `every_frame` added, if any."""
    frame = re.search(r"#(\d+)$", name)
    whole = name[: frame.start()] if frame else name
    parent, slash, last = whole.rpartition("/")
    stem = last if _UID.fullmatch(last) else os.path.splitext(last)[0]  # noqa: PTH122
    return parent + slash + stem, frame[1] if frame else ""


def compared(name: str) -> str:
    """Return a name as a file system compares it that ignores case and composition."""
    return unicodedata.normalize("NFC", name).casefold()


_PAGE_ENDINGS = ("_photograph.webp", "_map.webp", "_thumbnail.webp")  # see page/pictures.py
_ENDINGS = (*(ending for kind in KINDS for ending in picture_names("", kind)), *_PAGE_ENDINGS)


def may_be_own(path: str | os.PathLike[str]) -> bool:
    """Whether a file is named as a picture or an object that `retina-run` writes."""
    return os.fspath(path).endswith(_ENDINGS)


def has_mark(head: bytes, tail: Callable[[int], bytes]) -> bool:
    """Whether a file has the mark of `retina-run`.

    Parameters
    ----------
    head : bytes
        Its first `HEAD` bytes.
    tail : callable
        Returns as many of its last bytes.
    """
    if MARK in head[:_MARKED] or is_own_file(head) or head.startswith(SEGMENTS_HEAD):
        return True
    return head.startswith(b"RIFF") and XMP_MARK in tail(len(XMP_MARK) + 1)  # an odd chunk is filled up


def is_own_picture(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a picture or an object that `retina-run` wrote, by its name and the mark in it."""
    if not may_be_own(path):
        return False
    try:
        if not Path(path).is_file():  # opening a pipe would wait for its other end
            return False
        with Path(path).open("rb") as file:

            def tail(length: int) -> bytes:
                file.seek(-length, os.SEEK_END)
                return file.read()

            return has_mark(file.read(HEAD), tail)
    except OSError:
        return False
