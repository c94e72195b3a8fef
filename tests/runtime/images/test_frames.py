from pathlib import Path

import numpy as np
import pytest

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.frames import as_rgb8

random = np.random.default_rng(0)
COLOR = random.integers(0, 256, (5, 7, 3), dtype=np.uint8)
GRAY = COLOR[:, :, 0].copy()


def test_rgb8_passes_without_a_copy():
    assert as_rgb8(COLOR) is COLOR


def test_read_only_frames_pass():
    frozen = COLOR.copy()
    frozen.flags.writeable = False
    assert as_rgb8(frozen) is frozen


def test_bgr_is_turned_round_and_contiguous():
    rgb = as_rgb8(COLOR, "bgr")
    np.testing.assert_array_equal(rgb, COLOR[:, :, ::-1])
    assert rgb.flags.c_contiguous


@pytest.mark.parametrize("color", ["rgb", "bgr"])
@pytest.mark.parametrize("gray", [GRAY, np.asfortranarray(GRAY), np.repeat(GRAY, 2, axis=1)[:, ::2]])
def test_grey_becomes_three_equal_channels(color, gray):
    rgb = as_rgb8(gray, color)
    np.testing.assert_array_equal(rgb, np.stack([GRAY] * 3, axis=2))
    assert rgb.dtype == np.uint8
    assert rgb.flags.c_contiguous


def test_strided_colour_becomes_contiguous():
    wide = np.repeat(COLOR, 2, axis=1)
    rgb = as_rgb8(wide[:, ::2])
    np.testing.assert_array_equal(rgb, COLOR)
    assert rgb.flags.c_contiguous


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("gray", [True, False])
def test_upper_eight_of_the_bits_in_use(bits, gray):
    full = COLOR.astype(np.uint16) << (bits - 8)
    full += random.integers(0, 1 << (bits - 8), full.shape, dtype=np.uint16)
    full[0, 0] = (1 << bits) - 1
    expected = (full >> (bits - 8)).astype(np.uint8)
    if gray:
        full, expected = full[:, :, 0], np.repeat(expected[:, :, :1], 3, axis=2)
    np.testing.assert_array_equal(as_rgb8(full), expected)


@pytest.mark.parametrize(
    ("brightest", "upper"),
    [(255, 255), (256, 64), (1023, 255), (1024, 64), (4095, 255), (4096, 64), (16383, 255), (16384, 64)],
)
def test_bit_depth_is_inferred_from_the_maximum(brightest, upper):
    assert as_rgb8(np.full((2, 2), brightest, np.uint16)).max() == upper


def test_eight_bit_values_in_sixteen_bits_are_kept():
    np.testing.assert_array_equal(as_rgb8(COLOR.astype(np.uint16)), COLOR)


def test_black_sixteen_bits_stay_black():
    assert not as_rgb8(np.zeros((3, 4), np.uint16)).any()


def test_big_endian_frames():
    full = COLOR.astype(np.uint16) * 257
    np.testing.assert_array_equal(as_rgb8(full.astype(">u2")), COLOR)


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (np.zeros((4, 5, 3), np.float32), r"got dtype float32, shape \(4, 5, 3\); expected .*scale floats"),
        (np.zeros((4, 5), np.int32), r"got dtype int32, shape \(4, 5\); expected .* uint8 or uint16$"),
        (np.zeros((4, 5), np.uint32), r"got dtype uint32"),
        (np.zeros((4, 5), bool), r"got dtype bool"),
        (
            np.zeros((4, 5, 4), np.uint8),
            r"got shape \(4, 5, 4\), dtype uint8; expected .*alpha.*\[:, :, :3\]",
        ),
        (np.zeros((4, 5, 1), np.uint8), r"got shape \(4, 5, 1\), dtype uint8; expected .*\[:, :, 0\]"),
        (
            np.zeros((3, 4, 5), np.uint8),
            r"got shape \(3, 4, 5\), dtype uint8; expected .*transpose\(1, 2, 0\)",
        ),
        (np.zeros((1, 4, 5, 3), np.uint8), r"got shape \(1, 4, 5, 3\)"),
        (np.zeros(5, np.uint8), r"got shape \(5,\)"),
        (np.zeros((0, 5, 3), np.uint8), r"got shape \(0, 5, 3\)"),
        ([[1, 2], [3, 4]], r"got list; expected .*, as a numpy array: try numpy\.asarray"),
        (
            "scan.jpg",
            r"got str; expected .*: read a file by retinagan\.runtime\.read_image",
        ),
        (Path("scan.jpg"), r"as a numpy array: read a file by retinagan\.runtime\.read_image\(path\)"),
        (None, r"got None, which OpenCV returns where it cannot read a file or a frame; expected"),
    ],
)
def test_errors_say_what_came_and_what_to_do(frame, text):
    with pytest.raises(ImageError, match=text):
        as_rgb8(frame)


def test_unknown_colour_order():
    with pytest.raises(ImageError, match='got color=\'RGB\'; expected "rgb" or "bgr"'):
        as_rgb8(COLOR, "RGB")
