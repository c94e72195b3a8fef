import numpy as np
import pytest
from fundus_drawings import Look, draw_fundus
from retina_squares import square_of

from retinagan.runtime.images.reading import read_image
from retinagan.runtime.retina.find import find_retina
from retinagan.runtime.retina.green import small_green
from retinagan.runtime.retina.polarity import polarity


def polarity_of(image):
    return polarity(small_green(*square_of(image, find_retina(image))))


@pytest.mark.parametrize("size", [240, 500, 900])
@pytest.mark.parametrize("color", [(190, 100, 50), (120, 120, 120), (90, 60, 40)])
def test_vessels_are_dark_in_photographs_and_bright_in_negatives(size, color):
    image, mask = draw_fundus(size, size, (size / 2, size / 2, 0.46 * size), Look(color=color, noise=1.5))
    negative = np.where(mask[..., None], 255 - image, 0).astype(np.uint8)
    square, roi = square_of(image, find_retina(image))
    assert polarity_of(image) > 0.3
    assert polarity(small_green(255 - square, roi)) < -0.3
    assert polarity(small_green(negative, mask)) < -0.3


def test_a_retina_too_small_to_tell_has_none():
    assert polarity(small_green(np.full((64, 64, 3), 90, np.uint8), np.zeros((64, 64), np.bool_))) == 0.0


def test_real_photographs_are_none_of_them_negatives(drive):
    values = [polarity_of(read_image(path).pixels) for path in sorted(drive.glob("*/images/*.tif"))]
    assert len(values) == 40
    assert min(values) > 0.1
