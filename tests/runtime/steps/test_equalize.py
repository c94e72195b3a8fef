import cv2
import numpy as np
from drawn_retina import drawn_retina

from retinagan.ace_ext import ace
from retinagan.runtime.model.parameters import Preprocessing
from retinagan.runtime.steps.equalize import clahe, equalize


def square() -> tuple[np.ndarray, np.ndarray]:
    image, _ = drawn_retina(96, 96)
    return image, image[..., 0] > 0


def test_ace_takes_the_roi_as_subset_and_the_specs_alpha():
    image, roi = square()
    equalized = equalize(image, roi, Preprocessing("ace", 8.0, 96))
    np.testing.assert_array_equal(equalized, ace(image, alpha=8.0, mask=roi))
    assert not equalized[~roi].any()
    assert (equalized != equalize(image, roi, Preprocessing("ace", 2.0, 96))).any()


def test_clahe_is_opencvs_inside_the_roi_whatever_lies_outside():
    image, roi = square()
    other = image.copy()
    other[~roi] = 200
    equalized = equalize(image, roi, Preprocessing("clahe", 5.0, 96))
    np.testing.assert_array_equal(equalized, equalize(other, roi, Preprocessing("clahe", 5.0, 96)))
    assert not equalized[~roi].any()
    green = cv2.createCLAHE(2.0, (8, 8)).apply(np.where(roi, image[..., 1], np.uint8(0)))
    np.testing.assert_array_equal(equalized[..., 1][roi], green[roi])


def test_clahe_of_one_channel_without_a_mask_is_opencvs():
    image = square()[0][..., 1]
    np.testing.assert_array_equal(
        clahe(image, clip_limit=3.0, tiles=(4, 4)), cv2.createCLAHE(3.0, (4, 4)).apply(image)
    )


def test_none_only_clears_the_surround():
    image, roi = square()
    image[~roi] = 9
    equalized = equalize(image, roi, Preprocessing("none", 5.0, 96))
    np.testing.assert_array_equal(equalized[roi], image[roi])
    assert not equalized[~roi].any()
    assert equalized.dtype == np.uint8
    assert image[~roi].all()
