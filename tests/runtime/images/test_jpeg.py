import struct

import numpy as np
import pytest
from image_files import saved

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.jpeg import JpegImage, decode_jpeg, jpeg_images

SHADE = np.add.outer(4 * np.arange(24), 3 * np.arange(40))
RGB = (SHADE[:, :, None] * [1, 0.7, 0.4]).astype(np.uint8)
JPEG, PROGRESSIVE = saved(RGB, "JPEG", quality=95), saved(RGB, "JPEG", quality=95, progressive=True)
SMALL = saved(RGB[:8, :16], "JPEG")
AGAIN = "copy it again from its source"
WHOLE = JpegImage(0, len(JPEG), 40, 24)


def segment(marker, content):
    return b"\xff" + bytes([marker]) + struct.pack(">H", 2 + len(content)) + content


def refused(function, *arguments) -> str:
    with pytest.raises(ImageError) as caught:
        function(*arguments)
    return str(caught.value)


@pytest.mark.parametrize("data", [JPEG, JPEG + b"what some camera adds", JPEG + SMALL])
def test_a_file_of_one_image(data):
    assert jpeg_images(data) == [WHOLE]


def test_a_thumbnail_in_the_header_is_no_image_of_the_file():
    data = JPEG[:2] + segment(0xE1, SMALL) + JPEG[2:]
    assert jpeg_images(data) == [JpegImage(0, len(data), 40, 24)]
    assert "no end-of-image marker" in refused(jpeg_images, data[:-2])


def test_filler_and_comments_are_passed_over():
    data = JPEG[:2] + b"\xff\xff" + segment(0xFE, b"a comment") + JPEG[2:]
    assert jpeg_images(data) == [JpegImage(0, len(data), 40, 24)]


def test_a_file_that_says_so_holds_several():
    first = JPEG[:2] + segment(0xE2, b"MPF\0 table") + JPEG[2:]
    found = jpeg_images(first + b"\0\0" + SMALL)
    second = len(first) + 2
    assert found == [
        JpegImage(0, len(first), 40, 24),
        JpegImage(second, second + len(SMALL), 16, 8),
    ]
    assert jpeg_images(first + SMALL[:-2]) == found[:1]


@pytest.mark.parametrize("kept", [2, 3, 20, len(JPEG) // 2, len(JPEG) - 1])
def test_a_file_without_its_end(kept):
    assert refused(jpeg_images, JPEG[:kept]) == f"truncated (no end-of-image marker); {AGAIN}"


def test_a_segment_of_no_length():
    message = f"damaged (a JPEG marker of impossible length); {AGAIN}"
    assert refused(jpeg_images, JPEG[:2] + b"\xff\xfe\0\1" + JPEG[2:]) == message


@pytest.mark.parametrize("data", [JPEG, PROGRESSIVE])
def test_colours_come_out_as_they_went_in(data):
    pixels = decode_jpeg(data, 40 * 24)
    assert (pixels.shape, pixels.dtype) == (RGB.shape, np.uint8)
    assert np.abs(pixels.astype(int) - RGB).mean() < 3


def test_grey_has_no_channels():
    pixels = decode_jpeg(saved(RGB[..., 0].copy(), "JPEG", quality=95), 1000)
    assert pixels.shape == (24, 40)
    assert np.abs(pixels.astype(int) - RGB[..., 0]).mean() < 2


def test_cmyk_has_four():
    assert decode_jpeg(saved(RGB, "JPEG", "CMYK"), 1000).shape == (24, 40, 4)


def test_more_pixels_than_allowed():
    message = f"damaged (a JPEG image of 40x24 pixels); {AGAIN}"
    assert refused(decode_jpeg, JPEG, 40 * 24 - 1) == message


def test_what_libjpeg_only_warns_of_is_an_error():
    middle = len(JPEG) - 60
    for data in (JPEG[:middle] + b"\xff\xd9", JPEG[:middle] + bytes(40) + JPEG[middle + 40 :]):
        message = refused(decode_jpeg, data, 1000)
        assert message.startswith("damaged (")
        assert message.endswith(f"); {AGAIN}")


def test_zeros_in_a_progressive_scan():
    start = PROGRESSIVE.rindex(b"\xff\xda") + 10
    data = PROGRESSIVE[:start] + bytes(200) + b"\xff\xd9"
    assert refused(decode_jpeg, data, 1000) == f"damaged (zeros within a JPEG scan); {AGAIN}"


def zeroed(data, length=64):
    """Overwrite the middle of a scan with zeros."""
    start = data.rindex(b"\xff\xda") + 14
    middle = (start + len(data) - length) // 2
    return data[:middle] + bytes(length) + data[middle + length :]


@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"progressive": True}, {"subsampling": 0}])
def test_zeros_in_a_scan_are_damage_whatever_the_decoder_makes_of_them(options):
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    data = saved(noise, "JPEG", quality=90, **options)
    assert decode_jpeg(data, 10**4).shape == (96, 96, 3)
    assert refused(decode_jpeg, zeroed(data), 10**4) == f"damaged (zeros within a JPEG scan); {AGAIN}"


def test_zeros_are_sound_where_they_stand_for_flat_blocks():
    black = np.zeros((2000, 2000, 3), np.uint8)
    black[1000:1016, 1000:1016] = 90
    data = saved(black, "JPEG", quality=90, optimize=True)
    assert bytes(64) in data
    assert decode_jpeg(data, 10**7).shape == (2000, 2000, 3)


def test_zeros_are_sound_in_the_bits_that_refine_progressive_blocks():
    black = np.zeros((2000, 2000, 3), np.uint8)
    data = saved(black, "JPEG", quality=90, progressive=True)
    assert bytes(64) in data
    assert decode_jpeg(data, 10**7).shape == (2000, 2000, 3)
