import io
import struct

import numpy as np
import pytest
from image_files import saved, tiff
from PIL import Image

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.tiff import Tiff

RGB = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
AGAIN = "copy it again from its source"
COMPRESSIONS = ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "jpeg")
KINDS = {
    **{name: saved(RGB, "TIFF", compression=name) for name in COMPRESSIONS},
    "big": saved(RGB, "TIFF", big_tiff=True),
    "big-endian": tiff(RGB, ">"),
}


def pages(*arrays, **options) -> bytes:
    images = [Image.fromarray(array) for array in arrays]
    buffer = io.BytesIO()
    images[0].save(buffer, "TIFF", save_all=True, append_images=images[1:], **options)
    return buffer.getvalue()


def refused(data) -> str:
    with pytest.raises(ImageError) as caught:
        check(data)
    return str(caught.value)


def check(data):
    found = Tiff(data)
    return found.check(found.pages[0])


@pytest.mark.parametrize("kind", KINDS)
def test_whole_files_pass(kind):
    (page,) = Tiff(KINDS[kind]).pages
    assert (page.size, page.pixels, page.is_reduced) == ((30, 40), 1200, False)
    assert check(KINDS[kind]) is None


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kept", [8, 9, 30, 8 + 2 + 12 * 11])
def test_a_directory_that_is_cut(order, kept):
    message = f"truncated (the TIFF's directory lies beyond the end); {AGAIN}"
    assert refused(tiff(RGB, order)[:kept]) == message


def test_a_directory_of_a_big_tiff_that_is_cut():
    data = KINDS["big"]
    (start,) = struct.unpack_from("<Q", data, 8)
    for kept in (10, start, start + 8, start + 30):
        assert "truncated (the TIFF's directory lies beyond the end)" in refused(data[:kept])


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_value_of_a_tag_beyond_the_end_is_named(order):
    data = bytearray(tiff(RGB, order))
    entry = data.index(struct.pack(order + "HHL", 258, 3, 3))
    data[entry + 8 : entry + 12] = struct.pack(order + "L", len(data) - 3)
    message = f"truncated (the value of TIFF tag 258 lies beyond the end); {AGAIN}"
    assert refused(bytes(data)) == message


def test_what_programs_add_of_their_own_may_be_broken():
    data = bytearray(tiff(RGB))
    entry = data.index(struct.pack("<HHL", 339, 3, 1))
    data[entry : entry + 12] = struct.pack("<HHLL", 40000, 4, 1000, 1 << 30)
    assert check(bytes(data)) is None


def test_a_strip_beyond_the_end():
    message = f"truncated (strip 1 of the TIFF lies beyond the end); {AGAIN}"
    assert refused(tiff(RGB)[:-1]) == message


@pytest.mark.parametrize("compression", ["packbits", "tiff_adobe_deflate"])
def test_a_damaged_strip(compression):
    data = bytearray(KINDS[compression])
    page = Tiff(bytes(data)).pages[0]
    place, length = page.one(273), page.one(279)
    data[place + length // 2 : place + length] = bytes(length - length // 2)
    assert refused(bytes(data)) == f"damaged (strip or tile 1 of the TIFF); {AGAIN}"


def test_a_damaged_jpeg_strip():
    data = bytearray(KINDS["jpeg"])
    page = Tiff(bytes(data)).pages[0]
    end = page.one(273) + page.one(279)
    data[end - 200 : end - 2] = bytes(198)
    assert refused(bytes(data)).startswith("damaged (")


def test_a_thumbnail_is_not_the_photograph():
    data = pages(RGB[::8, ::8].copy(), RGB)
    found = Tiff(data)
    assert [page.size for page in found.pages] == [(4, 5), (30, 40)]
    (photograph,) = found.photographs()
    assert photograph.size == (30, 40)
    with Image.open(io.BytesIO(found.with_first(photograph))) as image:
        np.testing.assert_array_equal(np.asarray(image), RGB)
    assert found.with_first(found.pages[0]) is data


def test_pages_of_like_size_are_photographs_all():
    assert len(Tiff(pages(RGB, RGB[:30])).photographs()) == 2


@pytest.mark.parametrize("subfile", [1, 4])
def test_what_the_file_calls_reduced_or_a_mask_is_passed_over(subfile):
    data = bytearray(pages(RGB, RGB[::-1].copy()))
    first = Tiff(bytes(data)).pages[0]
    # The tag that says so, in place of SampleFormat or of another tag of one short value.
    entry = data.index(struct.pack("<HHL", 277, 3, 1), first.offset)
    assert struct.unpack_from("<H", data, entry)[0] == 277
    tagged = Tiff(bytes(data[:entry] + struct.pack("<HHLL", 254, 4, 1, subfile) + data[entry + 12 :]))
    assert [page.is_reduced for page in tagged.pages] == [True, False]
    assert tagged.photographs() == [tagged.pages[1]]


def test_a_file_whose_directories_form_a_ring_ends():
    data = bytearray(tiff(RGB))
    (count,) = struct.unpack_from("<H", data, 8)
    struct.pack_into("<L", data, 8 + 2 + 12 * count, 8)
    assert len(Tiff(bytes(data)).pages) == 1


@pytest.mark.parametrize(
    ("dtype", "most", "bits"), [(np.uint8, None, None), (np.uint16, None, None), (np.uint16, 4095, 12)]
)
def test_the_bits_that_a_page_declares(dtype, most, bits):
    data = bytearray(tiff(RGB[..., 0].astype(dtype)))
    if most is not None:
        entry = data.index(struct.pack("<HHL", 277, 3, 1))
        data[entry : entry + 12] = struct.pack("<HHLHH", 281, 3, 1, most, 0)
    assert Tiff(bytes(data)).pages[0].declared_bits == bits


@pytest.mark.parametrize("compression", ["tiff_lzw", "zstd"])
def test_zeros_within_a_compressed_strip_are_damage(compression):
    data = saved(RGB, "TIFF", compression=compression)
    middle = len(data) // 2
    tiff_file = Tiff(data[:middle] + bytes(64) + data[middle + 64 :])
    with pytest.raises(ImageError, match=r"damaged \(strip or tile 1 of the TIFF\)"):
        tiff_file.check(tiff_file.photographs()[0])


def test_zeros_within_a_plain_strip_are_black_pixels():
    black = Tiff(saved(np.zeros((40, 30, 3), np.uint8), "TIFF"))
    black.check(black.photographs()[0])
