import numpy as np
import pytest

from retinagan.runtime.images.photograph import Photograph


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
