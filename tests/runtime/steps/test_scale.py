import math
from dataclasses import replace

import numpy as np
import pytest

from retinagan.runtime.errors import ImageError
from retinagan.runtime.model.parameters import Preprocessing
from retinagan.runtime.retina.disc import Disc
from retinagan.runtime.steps.scale import check_field_of_view, working_square

DENSE = Preprocessing(pixels_per_degree=20.0, field_of_view=45.0)


def disc(diameter: float) -> Disc:
    return Disc(1000.0, 1000.0, diameter / 2)


@pytest.mark.parametrize("degrees", [30, 45, 60])
def test_a_fine_image_is_brought_to_the_models_density(degrees):
    square = working_square(DENSE, disc(3000), degrees)
    diameter = 3001
    assert square.size % 32 == 0
    assert square.size / square.side == pytest.approx(20 * degrees / diameter, rel=1e-3)
    assert square.field_of_view == degrees
    assert 0 <= square.size - 20 * degrees < 32


def test_an_image_coarser_than_the_model_keeps_its_own_pixels():
    square = working_square(DENSE, disc(540), 45)
    assert square.size == square.side == 544


def test_without_an_angle_the_models_assumption_counts():
    assert working_square(DENSE, disc(3000)) == working_square(DENSE, disc(3000), 45)


def test_a_fixed_size_knows_no_angle():
    square = working_square(Preprocessing(working_size=608), disc(3000), 60)
    assert (square.size, square.side, square.field_of_view) == (608, 3001, None)


@pytest.mark.parametrize("degrees", ["45", [45], b"45"])
def test_an_angle_that_is_no_number_is_refused(degrees):
    with pytest.raises(ImageError) as caught:
        check_field_of_view(degrees)
    assert str(caught.value) == (
        f"field of view: got {degrees!r}; expected the camera's angle as a number, such as 45"
    )


@pytest.mark.parametrize("degrees", [45, np.float32(45), np.int64(45)])
def test_numbers_of_every_kind_are_angles(degrees):
    check_field_of_view(degrees)


@pytest.mark.parametrize("degrees", [0, -45, 9.9, 221, math.nan, math.inf])
def test_no_camera_has_that_angle(degrees):
    with pytest.raises(ImageError, match=r"field of view of \S+ degrees; expected the camera's angle"):
        check_field_of_view(degrees)
    with pytest.raises(ImageError):
        working_square(Preprocessing(), disc(500), degrees)


def test_a_disc_of_a_few_pixels_still_has_a_square():
    assert working_square(DENSE, disc(8), 45).size == 32
    assert np.isfinite(working_square(DENSE, disc(8), 45).side)


@pytest.mark.parametrize(("largest", "size"), [(1.0, 544), (1.25, 704), (4.0, 928)])
def test_a_coarse_image_is_magnified_no_more_than_the_model_asks_for(largest, size):
    square = working_square(replace(DENSE, largest_magnification=largest), disc(540), 45)
    assert square.size == size
    assert square.size / square.side <= largest + 1e-9


def test_a_fine_image_is_never_magnified():
    assert working_square(replace(DENSE, largest_magnification=4.0), disc(3000), 45) == working_square(
        DENSE, disc(3000), 45
    )
