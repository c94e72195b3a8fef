"""How files of this package are recognised, without pydicom."""

PRODUCT = "Retina-GAN"
"""The Manufacturer that the objects name."""

IMPLEMENTATION_CLASS_UID = "2.25.120616738084548895405849529258484820541"
"""What the file meta information names as the program that wrote a file (PS3.10 7.1)."""

HEAD = 512
"""Bytes from a file's start in which the mark stands."""

_PREFIX = slice(128, 132)


def is_own_object(head: bytes) -> bool:
    """Whether a file that begins with these bytes is a DICOM file that this package wrote."""
    return head[_PREFIX] == b"DICM" and IMPLEMENTATION_CLASS_UID.encode() in head[:HEAD]
