import numpy as np
import pytest
from canon_eye import canon_eye
from retina_squares import square_of

from retinagan.runtime.images.reading import read_image
from retinagan.runtime.retina.exposure import BURNT_OUT, burnt_out_share, is_faint
from retinagan.runtime.retina.find import find_retina
from retinagan.runtime.retina.green import small_green

EYE = canon_eye().image
RETINA = find_retina(EYE)


def lit(light):
    return np.clip(np.round(EYE * np.float32(light)), 0, 255).astype(np.uint8)


def small(image, retina=RETINA):
    return small_green(*square_of(image, retina))


@pytest.mark.parametrize(("light", "faint"), [(1.0, False), (0.5, False), (0.1, True), (0.05, True)])
def test_a_tenth_of_the_light_leaves_few_grey_levels(light, faint):
    assert is_faint(small(lit(light))) == faint


def test_a_flat_picture_has_few_grey_levels_too():
    assert is_faint(small(np.full_like(EYE, 120)))


def test_a_photograph_is_not_burnt_out():
    assert burnt_out_share(small(EYE)) < BURNT_OUT / 2


def test_the_share_that_is_as_bright_as_can_be_is_measured():
    shares = [burnt_out_share(small(lit(light))) for light in (2, 3, 4)]
    assert shares == sorted(shares)
    assert shares[-1] > BURNT_OUT


def test_what_is_burnt_out_may_have_been_darkened_afterwards():
    bright = lit(4)
    darkened = (bright * np.float32(0.8)).astype(np.uint8)
    assert burnt_out_share(small(darkened)) == pytest.approx(burnt_out_share(small(bright)), rel=0.1)


def test_a_dark_picture_is_not_burnt_out():
    assert burnt_out_share(small(lit(0.2))) == 0


def test_nothing_is_said_without_a_retina():
    nothing = small_green(np.full((64, 64, 3), 90, np.uint8), np.zeros((64, 64), np.bool_))
    assert not is_faint(nothing)
    assert burnt_out_share(nothing) == 0


def test_no_real_photograph_is_badly_lit(drive):
    paths = sorted(drive.glob("*/images/*.tif"))
    assert len(paths) == 40
    squares = [small(image, find_retina(image)) for image in (read_image(path).pixels for path in paths)]
    assert not any(is_faint(square) for square in squares)
    assert max(burnt_out_share(square) for square in squares) < BURNT_OUT / 3
