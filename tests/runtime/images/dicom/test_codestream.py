import numpy as np
import pytest
from drawn_retina import drawn_retina
from image_files import saved

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.dicom.codestream import Codestream, codestream_of

RGB = drawn_retina(24, 32)[0]
JFIF = b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"


def adobe(transform):
    return b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([transform])


def jpeg(marker=0xC0, bits=8, letters=b"\1\2\3", before=b""):
    """The markers of a JPEG file up to its frame header."""
    components = b"".join(bytes([letter, 0x11, 0]) for letter in letters)
    content = bytes([bits]) + b"\0\x18\0\x20" + bytes([len(letters)]) + components
    return b"\xff\xd8" + before + bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def test_a_jpeg_says_its_size():
    assert codestream_of(saved(RGB, "JPEG")) == Codestream("jpeg", 32, 24, 3, 8, "ybr")
    assert codestream_of(saved(RGB[..., 0].copy(), "JPEG")) == Codestream("jpeg", 32, 24, 1, 8, "ybr")
    assert codestream_of(saved(RGB, "JPEG", progressive=True)).kind == "jpeg"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (jpeg(), ""),
        (jpeg(before=JFIF), "ybr"),
        (jpeg(before=adobe(0)), "rgb"),
        (jpeg(before=adobe(1)), "ybr"),
        (jpeg(before=b"\xff\xee\0\x0cAdobe" + bytes(5)), ""),
        (jpeg(letters=b"RGB"), "rgb"),
        (jpeg(letters=b"rgb"), "rgb"),
        (jpeg(letters=b"RGB", before=JFIF), "ybr"),
        (jpeg(before=b"\xff\xff\xff\x01"), ""),
    ],
)
def test_a_jpeg_says_what_its_colours_are(data, expected):
    assert codestream_of(data) == Codestream("jpeg", 32, 24, 3, 8, expected)


@pytest.mark.parametrize(
    ("marker", "kind"), [(0xC1, "jpeg"), (0xC2, "jpeg"), (0xC3, "jpeg-lossless"), (0xF7, "jpeg-ls")]
)
def test_the_kind_is_that_of_the_frame_header(marker, kind):
    assert codestream_of(jpeg(marker, bits=12)) == Codestream(kind, 32, 24, 3, 12)


@pytest.mark.parametrize(("options", "stored_as"), [({"mct": 1}, "rgb"), ({}, "")])
def test_jpeg_2000_says_its_size_and_transform(options, stored_as):
    data = saved(RGB, "JPEG2000", no_jp2=True, **options)
    assert codestream_of(data) == Codestream("jpeg-2000", 32, 24, 3, 8, stored_as)
    assert codestream_of(saved(RGB, "JPEG2000", **options)) == codestream_of(data)


def test_jpeg_2000_of_16_bits():
    deep = (RGB[..., 0] * np.uint16(200)).astype(np.uint16)
    assert codestream_of(saved(deep, "JPEG2000")) == Codestream("jpeg-2000", 32, 24, 1, 16)


@pytest.mark.parametrize("data", [b"", b"\0" * 64, b"\x89PNG", b"\xff\x4f\0\0"])
def test_other_data_are_nothing(data):
    assert codestream_of(data) is None


@pytest.mark.parametrize(
    "whole", [jpeg(before=JFIF), saved(RGB, "JPEG2000")[:150], saved(RGB, "JPEG2000", no_jp2=True)[:90]]
)
def test_a_header_that_ends_too_early_is_truncated(whole):
    for length in range(14, len(whole) - 2):
        with pytest.raises(ImageError, match=r"^(truncated|damaged) \("):
            codestream_of(whole[:length])


def test_damaged_headers():
    with pytest.raises(ImageError, match="no JPEG marker where one must be"):
        codestream_of(b"\xff\xd8\0\0" + jpeg())
    box = saved(RGB, "JPEG2000")
    with pytest.raises(ImageError, match="a JP2 box of impossible length"):
        codestream_of(box[:12] + b"\0\0\0\1" + box[16:])
    start = box.index(b"\xff\x4f\xff\x51")
    with pytest.raises(ImageError, match="a JPEG 2000 frame without its size"):
        codestream_of(box[: start + 2] + b"\xff\x52" + box[start + 4 :])
