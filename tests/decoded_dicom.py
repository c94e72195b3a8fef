"""The first steps of reading a DICOM file, up to one frame's pixels, for tests of those steps."""

import pytest

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.dicom.elements import Elements
from retinagan.runtime.images.dicom.header import WANTED, read_header
from retinagan.runtime.images.dicom.pixels import check_header, decode_frame


def decoded(data: bytes, index: int = 0, most: int = 10_000_000):
    """Decode a frame: its pixels, and their bits."""
    elements = Elements(data, WANTED, 1 << 24)
    header = read_header(elements)
    check_header(header, most)
    return decode_frame(elements.pixel_data(), header, index)[:2]


def refusal(data: bytes, **options) -> str:
    """Return the text of the error that refuses a file."""
    with pytest.raises(ImageError) as caught:
        decoded(data, **options)
    return str(caught.value)
