"""How files of this package are recognised, without pydicom."""

import re

PRODUCT = "Retina-GAN"
"""The Manufacturer that the objects name."""

IMPLEMENTATION_CLASS_UID = "2.25.120616738084548895405849529258484820541"
"""What the file meta information names as the program that wrote a file (PS3.10 7.1)."""

HEAD = 2048
"""Bytes from a file's start in which the marks stand."""

_PREFIX = slice(128, 132)
_META = slice(0, 512)
_MADE_BY = re.compile(rb"\x08\0\x70\0(?:LO)?\x0a\0(?:\0\0)?" + PRODUCT.encode())  # Manufacturer (0008,0070)


def is_own_file(head: bytes) -> bool:
    """Whether a file that begins with these bytes is a DICOM file that this package wrote."""
    return head[_PREFIX] == b"DICM" and IMPLEMENTATION_CLASS_UID.encode() in head[_META]


def is_own_object(head: bytes) -> bool:
    """Whether a DICOM file that begins with these bytes holds a result of this package.

    Archives write objects into files of their own: then the manufacturer tells.
    """
    return is_own_file(head) or _MADE_BY.search(head[:HEAD]) is not None
