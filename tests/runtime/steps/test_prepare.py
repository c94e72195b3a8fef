import numpy as np
import pytest
from drawn_retina import drawn_retina

from retinagan.runtime.errors import ImageError, NoRetinaError
from retinagan.runtime.images.photograph import Photograph
from retinagan.runtime.model.parameters import Preprocessing
from retinagan.runtime.steps.prepare import prepare
from retinagan.runtime.steps.timing import StageClock

OPTIONS = Preprocessing("none", 5.0, 96)


def test_the_square_round_the_retina_is_cut_and_equalized():
    image, _ = drawn_retina(180, 260)
    prepared = prepare(image, OPTIONS)
    assert prepared.image.shape == (96, 96, 3)
    assert prepared.image.dtype == np.uint8
    assert prepared.roi.shape == (96, 96)
    assert prepared.roi.dtype == np.bool_
    assert prepared.retina.mask.shape == (180, 260)
    assert 0.7 < prepared.roi.mean() < np.pi / 4 + 0.02
    assert not prepared.image[~prepared.roi].any()
    np.testing.assert_array_equal(prepared.crop.cut_mask(prepared.retina.mask), prepared.roi)


def test_a_cameras_margin_does_not_matter():
    image, _ = drawn_retina(180, 200)
    wide = np.pad(image, ((40, 10), (5, 90), (0, 0)))
    difference = prepare(image, OPTIONS).image.astype(int) - prepare(wide, OPTIONS).image
    assert np.abs(difference).mean() < 4.0  # the square may lie a pixel beside


def test_the_order_of_channels_is_undone():
    image, _ = drawn_retina()
    np.testing.assert_array_equal(
        prepare(image[..., ::-1], OPTIONS, "bgr").image, prepare(image, OPTIONS, "rgb").image
    )


def test_each_stage_is_timed():
    clock = StageClock()
    prepare(drawn_retina()[0], OPTIONS, clock=clock)
    assert list(clock.seconds) == ["roi", "crop", "equalize"]
    assert all(seconds > 0 for seconds in clock.seconds.values())


def test_what_is_no_fundus_frame():
    with pytest.raises(ImageError, match="got dtype float64"):
        prepare(np.zeros((100, 100, 3)), OPTIONS)
    with pytest.raises(NoRetinaError):
        prepare(np.zeros((100, 100, 3), np.uint8), OPTIONS)


def test_a_clock_adds_up_and_counts_a_stage_that_fails():
    clock = StageClock()
    with clock.stage("a"):
        pass
    first = clock.seconds["a"]
    with pytest.raises(ValueError, match="stop"), clock.stage("a"):
        raise ValueError("stop")
    assert clock.seconds["a"] > first


def test_a_photograph_brings_its_angle_along():
    options = Preprocessing("none", 5.0, pixels_per_degree=2.0)
    image, _ = drawn_retina(180, 200)
    photograph = Photograph(image, 8, field_of_view=30.0)
    assert prepare(photograph, options).field_of_view == 30
    assert prepare(photograph, options, field_of_view=60.0).field_of_view == 60
    assert prepare(Photograph(image, 8), options).field_of_view == 45
    np.testing.assert_array_equal(
        prepare(photograph, options, "bgr").image, prepare(image, options, field_of_view=30.0).image
    )
