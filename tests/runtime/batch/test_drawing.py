import numpy as np

from retinagan.runtime.batch.drawing import PICTURES
from retinagan.runtime.batch.overlay import draw_overlay
from retinagan.runtime.retina.disc import Disc
from retinagan.runtime.segmenter import Segmentation

PROBABILITY = np.array([[0.0, 0.25], [0.75, 1.0]], np.float32)
RESULT = Segmentation(PROBABILITY, PROBABILITY > 0.5, np.ones((2, 2), np.bool_), {})
IMAGE = np.full((2, 2, 3), 90, np.uint8)


def test_vessels_are_white():
    picture = PICTURES["vessels"](IMAGE, RESULT)
    assert (picture.dtype, picture.tolist()) == (np.uint8, [[0, 0], [255, 255]])


def test_probability_takes_all_of_16_bits():
    picture = PICTURES["probability"](IMAGE, RESULT)
    assert (picture.dtype, picture.tolist()) == (np.uint16, [[0, 16384], [49151, 65535]])


def test_the_overlay_is_drawn_over_the_image():
    expected = draw_overlay(IMAGE, RESULT.vessels, RESULT.roi)
    np.testing.assert_array_equal(PICTURES["overlay"](IMAGE, RESULT), expected)


def test_eyes_that_are_not_segmented_are_marked():
    image = np.full((40, 60, 3), 90, np.uint8)
    empty = np.zeros((40, 60), np.float32)
    other = Disc(40.0, 20.0, 15.0)
    result = Segmentation(empty, empty > 0.5, empty > 0.5, {}, unsegmented=(other,))
    expected = draw_overlay(image, result.vessels, result.roi, [other])
    assert (expected != image).any()
    np.testing.assert_array_equal(PICTURES["overlay"](image, result), expected)
