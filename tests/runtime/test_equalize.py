import numpy as np
from drawn_retina import drawn_retina
from retinagan.ace_ext import ace
from retinagan.runtime.equalize import equalize
from retinagan.runtime.spec import Preprocessing


def square() -> tuple[np.ndarray, np.ndarray]:
    image, _ = drawn_retina(96, 96)
    return image, image[..., 0] > 0


def test_ace_takes_the_roi_as_subset_and_the_specs_alpha():
    image, roi = square()
    equalized = equalize(image, roi, Preprocessing("ace", 8.0, 96))
    np.testing.assert_array_equal(equalized, ace(image, alpha=8.0, mask=roi))
    assert not equalized[~roi].any()
    assert (equalized != equalize(image, roi, Preprocessing("ace", 2.0, 96))).any()


def test_none_only_clears_the_surround():
    image, roi = square()
    image[~roi] = 9
    equalized = equalize(image, roi, Preprocessing("none", 5.0, 96))
    np.testing.assert_array_equal(equalized[roi], image[roi])
    assert not equalized[~roi].any()
    assert equalized.dtype == np.uint8
    assert image[~roi].all()
