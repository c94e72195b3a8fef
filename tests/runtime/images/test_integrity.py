import struct

import numpy as np
import pytest
from image_files import png_chunk, saved, tiff

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.integrity import check_jpeg, check_png, check_tiff

RGB = np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)
JPEG, PNG = saved(RGB, "JPEG"), saved(RGB, "PNG")
AGAIN = "copy it again from its source"


def refused(check, data) -> str:
    with pytest.raises(ImageError) as caught:
        check(data)
    return str(caught.value)


@pytest.mark.parametrize(
    ("check", "data"),
    [
        (check_jpeg, JPEG),
        (check_jpeg, saved(RGB, "JPEG", progressive=True)),
        (check_jpeg, JPEG + b"more that some camera adds"),
        (check_jpeg, JPEG[:2] + b"\xff\xff\xff\xfe\0\4ab" + JPEG[2:]),  # filler, and a comment
        (check_png, PNG),
        (check_png, PNG + b"more"),
        (check_tiff, tiff(RGB)),
        (check_tiff, tiff(RGB, ">")),
        (check_tiff, saved(RGB, "TIFF", big_tiff=True)),
        (check_tiff, saved(RGB, "TIFF", compression="tiff_lzw")),
    ],
)
def test_whole_files_pass(check, data):
    assert check(data) is None


@pytest.mark.parametrize("kept", [2, 3, 20, len(JPEG) // 2, len(JPEG) - 1])
def test_a_jpeg_without_its_end(kept):
    assert refused(check_jpeg, JPEG[:kept]) == f"truncated (no end-of-image marker); {AGAIN}"
    assert refused(check_jpeg, JPEG[:kept] + bytes(len(JPEG) - kept)).startswith("truncated")


def test_the_end_of_a_thumbnail_is_not_the_images():
    thumbnail = b"\xff\xe1" + struct.pack(">H", 2 + len(JPEG)) + JPEG
    assert check_jpeg(JPEG[:2] + thumbnail + JPEG[2:]) is None
    assert refused(check_jpeg, JPEG[:2] + thumbnail + JPEG[2:-2]).startswith("truncated")


@pytest.mark.parametrize("kept", [8, 11, 20, len(PNG) // 2, len(PNG) - 12, len(PNG) - 1])
def test_a_png_that_ends_early(kept):
    assert refused(check_png, PNG[:kept]) == f"truncated (the PNG ends within a chunk); {AGAIN}"


def test_a_png_padded_with_zeros_is_refused():
    assert refused(check_png, PNG[:40] + bytes(len(PNG) - 40))


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT", b"IEND"])
def test_a_changed_chunk_of_a_png_is_named(kind):
    data = bytearray(PNG)
    data[PNG.index(kind) + len(kind)] ^= 1
    assert (
        refused(check_png, bytes(data)) == f"damaged (wrong check sum of the PNG's {kind!r} chunk); {AGAIN}"
    )


def test_chunks_that_nobody_knows_are_checked_too():
    chunk = png_chunk(b"rEti", b"gan")
    assert check_png(PNG[:33] + chunk + PNG[33:]) is None
    assert "b'rEti'" in refused(check_png, PNG[:33] + chunk.replace(b"gan", b"gam") + PNG[33:])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kept", [8, 9, 30, 8 + 2 + 12 * 11])
def test_a_tiff_whose_directory_is_cut(order, kept):
    message = f"truncated (the TIFF's directory lies beyond the end); {AGAIN}"
    assert refused(check_tiff, tiff(RGB, order)[:kept]) == message


def test_a_big_tiff_whose_directory_is_cut():
    data = saved(RGB, "TIFF", big_tiff=True)
    (start,) = struct.unpack_from("<Q", data, 8)
    for kept in (10, 16, start, start + 8, start + 30):
        assert "the TIFF's directory" in refused(check_tiff, data[:kept])


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_value_of_a_tag_beyond_the_end_is_named(order):
    data = bytearray(tiff(RGB, order))
    entry = data.index(struct.pack(order + "HHL", 258, 3, 3))
    data[entry + 8 : entry + 12] = struct.pack(order + "L", len(data) - 3)
    message = f"truncated (the value of TIFF tag 258 lies beyond the end); {AGAIN}"
    assert refused(check_tiff, bytes(data)) == message


def test_what_programs_add_of_their_own_may_be_broken():
    data = bytearray(tiff(RGB))
    entry = data.index(struct.pack("<HHL", 339, 3, 1))
    data[entry : entry + 12] = struct.pack("<HHLL", 40000, 4, 1000, 1 << 30)
    assert check_tiff(bytes(data)) is None
