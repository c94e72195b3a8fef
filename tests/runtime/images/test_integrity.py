import struct

import numpy as np
import pytest
from image_files import png_chunk, saved

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.integrity import (
    check_jpeg2000,
    check_png,
    png_significant_bits,
)

RGB = np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)
PNG = saved(RGB, "PNG")
AGAIN = "copy it again from its source"


def refused(check, data) -> str:
    with pytest.raises(ImageError) as caught:
        check(data)
    return str(caught.value)


@pytest.mark.parametrize(
    ("check", "data"),
    [
        (check_png, PNG),
        (check_png, PNG + b"more"),
        (check_jpeg2000, b"\xff\x4f\xff\x51 data \xff\xd9"),
        (check_jpeg2000, b"\xff\x4f\xff\x51 data \xff\xd9\0\0"),
        (check_jpeg2000, b"\xff\x4f\xff\x51" + bytes(255) + b"\xff\xd9" + bytes(512)),
    ],
)
def test_whole_files_pass(check, data):
    assert check(data) is None


@pytest.mark.parametrize("kept", [8, 11, 20, len(PNG) // 2, len(PNG) - 12, len(PNG) - 1])
def test_a_png_that_ends_early(kept):
    assert refused(check_png, PNG[:kept]) == f"truncated (the PNG ends within a chunk); {AGAIN}"


def test_a_png_padded_with_zeros_is_refused():
    assert refused(check_png, PNG[:40] + bytes(len(PNG) - 40))


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT", b"IEND"])
def test_a_changed_chunk_of_a_png_is_named(kind):
    data = bytearray(PNG)
    data[PNG.index(kind) + len(kind)] ^= 1
    message = f"damaged (wrong check sum of the PNG's {kind!r} chunk); {AGAIN}"
    assert refused(check_png, bytes(data)) == message


def test_chunks_that_nobody_knows_are_checked_too():
    chunk = png_chunk(b"rEti", b"gan")
    assert check_png(PNG[:33] + chunk + PNG[33:]) is None
    assert "b'rEti'" in refused(check_png, PNG[:33] + chunk.replace(b"gan", b"gam") + PNG[33:])


@pytest.mark.parametrize("data", [b"\xff\x4f\xff\x51 data", b"\xff\x4f\xff\x51 \xff\xd9 more"])
def test_a_jpeg_2000_without_its_end(data):
    assert refused(check_jpeg2000, data) == f"truncated (no end-of-codestream marker); {AGAIN}"


def test_zeros_within_a_jpeg_2000():
    data = b"\xff\x4f\xff\x51" + bytes(256) + b"more \xff\xd9"
    assert refused(check_jpeg2000, data) == f"damaged (zeros within a JPEG 2000 image); {AGAIN}"


@pytest.mark.parametrize(
    ("kind", "content", "bits"),
    [
        (2, b"\x05\x06\x05", 6),
        (6, b"\x05\x06\x05\x08", 6),  # the last is alpha's
        (0, b"\x0c", 12),
        (4, b"\x0c\x10", 12),
        (0, b"", None),
    ],
)
def test_the_bits_that_a_png_declares(kind, content, bits):
    header = png_chunk(b"IHDR", struct.pack(">LLBBBBB", 4, 3, 16, kind, 0, 0, 0))
    data = PNG[:8] + header + png_chunk(b"sBIT", content) + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b"")
    assert png_significant_bits(data) == bits


@pytest.mark.parametrize("data", [PNG, PNG[:33], PNG[:20]])
def test_a_png_that_declares_nothing(data):
    assert png_significant_bits(data) is None
