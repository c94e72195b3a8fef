import numpy as np
import pytest

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.photograph import (
    Photograph,
    angle_of,
    frame_number,
    frame_warnings,
    rgb8_of,
)


def test_alone_it_is_the_first_of_one():
    photograph = Photograph(np.zeros((2, 3), np.uint8), 8)
    assert (photograph.frame, photograph.frames) == (1, 1)
    assert photograph.warnings == ()


@pytest.mark.parametrize(("bits", "level"), [(8, 255), (10, 255), (12, 64), (16, 4)])
def test_pixels_are_scaled_by_the_bits_in_use(bits, level):
    grey = np.full((2, 3), 1024 if bits > 10 else (1 << bits) - 1, np.uint16)
    shown = Photograph(grey, bits).as_rgb8()
    assert (shown.shape, shown.dtype) == ((2, 3, 3), np.uint8)
    assert (shown == level).all()


def test_eight_bit_colour_is_given_as_it_is():
    pixels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    np.testing.assert_array_equal(Photograph(pixels, 8).as_rgb8(), pixels)


def test_what_a_file_does_not_declare_is_unknown():
    photograph = Photograph(np.zeros((2, 3), np.uint8), 8)
    assert (photograph.field_of_view, photograph.pixel_spacing) == (None, None)
    assert (photograph.laterality, photograph.sop_instance_uid) == ("", "")


def test_in_rgb_it_knows_the_same():
    deep = Photograph(np.full((2, 3), 1024, np.uint16), 12, field_of_view=30.0, laterality="R")
    shown = deep.in_rgb8()
    np.testing.assert_array_equal(shown.pixels, deep.as_rgb8())
    assert (shown.bits, shown.field_of_view, shown.laterality) == (8, 30.0, "R")


def test_a_photograph_is_rgb_whatever_the_order_of_frames():
    pixels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    np.testing.assert_array_equal(rgb8_of(Photograph(pixels, 8), "bgr"), pixels)
    np.testing.assert_array_equal(rgb8_of(pixels, "bgr"), pixels[..., ::-1])
    np.testing.assert_array_equal(rgb8_of(pixels), pixels)


def test_only_a_photograph_declares_an_angle():
    pixels = np.zeros((2, 3), np.uint8)
    assert angle_of(Photograph(pixels, 8, field_of_view=30.0)) == 30
    assert angle_of(Photograph(pixels, 8)) is None
    assert angle_of(pixels) is None


def test_the_number_of_a_frame_and_its_warning():
    assert frame_number(None, 3) == 1
    assert frame_number(3, 3) == 3
    for number in (0, 4):
        with pytest.raises(ImageError, match=f"no image {number}: the file holds 3 of full size"):
            frame_number(number, 3)
    assert frame_warnings(None, 1) == frame_warnings(2, 3) == ()
    (warning,) = frame_warnings(None, 3)
    assert warning.message == "the file holds 3 images of full size; this is the first"
