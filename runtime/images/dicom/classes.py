"""The kinds of DICOM object (SOP classes): which are read as photographs, and which are not, and why.

This needs no pydicom, so that folders can be searched without it.
"""

from __future__ import annotations

import re

_STORAGE = "1.2.840.10008.5.1.4.1.1."

READ = {
    f"{_STORAGE}77.1.5.1": "Ophthalmic Photography 8 Bit Image Storage",
    f"{_STORAGE}77.1.5.2": "Ophthalmic Photography 16 Bit Image Storage",
    f"{_STORAGE}77.1.4": "VL Photographic Image Storage",
    f"{_STORAGE}7": "Secondary Capture Image Storage",
    f"{_STORAGE}7.2": "Multi-frame Grayscale Byte Secondary Capture Image Storage",
    f"{_STORAGE}7.3": "Multi-frame Grayscale Word Secondary Capture Image Storage",
    f"{_STORAGE}7.4": "Multi-frame True Color Secondary Capture Image Storage",
}
"""The classes that are read as photographs, by UID (DICOM PS3.6, table A-1)."""

WIDE_FIELD = {
    f"{_STORAGE}77.1.5.5": "Wide Field Ophthalmic Photography Stereographic Projection Image Storage",
    f"{_STORAGE}77.1.5.6": "Wide Field Ophthalmic Photography 3D Coordinates Image Storage",
}
"""Photographs that are refused: the models are not made for them."""

DIRECTORY = "1.2.840.10008.1.3.10"
"""Media Storage Directory: the class of a DICOMDIR."""

OTHERS = {
    DIRECTORY: "DICOMDIR",
    f"{_STORAGE}66": "Raw Data Storage",
    f"{_STORAGE}66.4": "Segmentation Storage",
    f"{_STORAGE}77.1.5.4": "Ophthalmic Tomography Image Storage",
    f"{_STORAGE}77.1.5.7": "Ophthalmic Optical Coherence Tomography En Face Image Storage",
    f"{_STORAGE}77.1.5.8": "Ophthalmic Optical Coherence Tomography B-scan Volume Analysis Storage",
    f"{_STORAGE}88.11": "Basic Text SR Storage",
    f"{_STORAGE}88.22": "Enhanced SR Storage",
    f"{_STORAGE}88.33": "Comprehensive SR Storage",
    f"{_STORAGE}88.34": "Comprehensive 3D SR Storage",
    f"{_STORAGE}88.59": "Key Object Selection Document Storage",
    f"{_STORAGE}104.1": "Encapsulated PDF Storage",
    f"{_STORAGE}11.1": "Grayscale Softcopy Presentation State Storage",
    f"{_STORAGE}11.2": "Color Softcopy Presentation State Storage",
}
"""Names of other classes that a study of an eye often holds."""

HEAD_BYTES = 2048
"""As much of a file as `class_uid` needs."""

_PREFIX = slice(128, 132)
_CLASS_ELEMENT = 0x0002
_LONG_LENGTH = (b"OB", b"OW", b"SQ", b"UN", b"UT")
_UID = re.compile(r"[0-9.]{1,64}")
_BARE_CLASS = re.compile(rb"\x08\0\x16\0(?:UI..|..\0\0)(1\.2\.840\.10008\.[0-9.]{1,50})", re.DOTALL)


def is_dicom(head: bytes) -> bool:
    """Whether a file that begins with these bytes, as many as `HEAD_BYTES`, is a DICOM file.

    Files begin with a preamble (PS3.10, section 7.1). Data sets that were saved without it are known by their
    class.
    """
    return head[_PREFIX] == b"DICM" or (head[:2] in (b"\2\0", b"\x08\0") and class_uid(head) != "")


def file_meta(data: bytes) -> tuple[dict[int, bytes], int]:
    """Return the File Meta Information, values by element number, and the place where it ends.

    It is encoded alike in all files: explicit VR, little endian.
    """
    elements, position = {}, _PREFIX.stop if data[_PREFIX] == b"DICM" else 0
    while data[position : position + 2] == b"\2\0":
        wide = data[position + 4 : position + 6] in _LONG_LENGTH
        begin = position + (12 if wide else 8)
        end = begin + int.from_bytes(data[begin - (4 if wide else 2) : begin], "little")
        elements[int.from_bytes(data[position + 2 : position + 4], "little")] = data[begin:end]
        position = end
    return elements, position


def class_uid(head: bytes) -> str:
    """Return the UID of a DICOM file's class from its first bytes; empty if they do not hold one."""
    meta, end = file_meta(head)
    if _CLASS_ELEMENT in meta:
        return as_uid(meta[_CLASS_ELEMENT])
    found = _BARE_CLASS.search(head, end, end + HEAD_BYTES)
    return as_uid(found[1]) if found else ""


def as_uid(value: bytes) -> str:
    """Return the text of a UID; empty if it is none, whatever else was written there."""
    text = value.decode("ascii", "replace").strip(" \0")
    return text if _UID.fullmatch(text) else ""


def class_name(uid: str) -> str:
    """Return the name of a class, from pydicom's dictionary if it is installed; the UID of an unknown one."""
    known = {**READ, **WIDE_FIELD, **OTHERS}.get(uid)
    if known is not None:
        return known
    try:
        from pydicom.uid import UID
    except ImportError:
        return uid or "an unknown class"
    return str(UID(uid).name) if uid else "an unknown class"


def is_photograph(uid: str) -> bool:
    """Whether objects of this class are photographs, also refused ones; an unknown class counts as one."""
    return not uid or uid in READ or uid in WIDE_FIELD
