import cv2
import numpy as np
import pytest
from retina_squares import square_of
from synthetic_fundus import FundusOptions, render

from retinagan.runtime.images.reading import read_image
from retinagan.runtime.retina.find import find_retina
from retinagan.runtime.retina.fine import fine_square
from retinagan.runtime.retina.scrambled import SCRAMBLED, colour_change

EYE = render(FundusOptions(seed=5, camera="canon")).image
RETINA = find_retina(EYE)


def changed(image, side=608):
    return colour_change(fine_square(*square_of(image, RETINA, side)))


def scrambled(rows, columns):
    image = EYE.copy()
    part = image[rows, columns]
    part[:] = np.random.default_rng(0).integers(0, 256, part.shape)
    return image


@pytest.mark.parametrize("side", [304, 608, 1000])
def test_colours_of_an_eye_are_smooth(side):
    assert 0 < changed(EYE, side) < 30


@pytest.mark.parametrize(
    ("rows", "columns"),
    [(slice(300, 320), slice(None)), (slice(120, None), slice(None)), (slice(250, 350),) * 2],
)
def test_a_part_of_unrelated_colours_is_seen(rows, columns):
    assert changed(scrambled(rows, columns)) > SCRAMBLED


@pytest.mark.parametrize("sigma", [10, 20, 40])
def test_noise_all_over_is_not_scrambled(sigma):
    noise = np.random.default_rng(0).normal(0, sigma, EYE.shape)
    assert changed(np.clip(EYE + noise, 0, 255).astype(np.uint8)) < SCRAMBLED


def test_letters_and_a_grey_picture_are_not_scrambled():
    image = EYE.copy()
    cv2.putText(image, "JANE DOE", (150, 300), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1, cv2.LINE_AA)
    assert changed(image) < SCRAMBLED
    assert changed(np.repeat(EYE[..., 1:2], 3, axis=2)) == 0


def test_no_real_photograph_is_scrambled(drive):
    images = sorted((drive / "test" / "images").glob("*.tif"))[:5]
    found = [read_image(path).pixels for path in images]
    assert (
        max(colour_change(fine_square(*square_of(image, find_retina(image), 608))) for image in found)
        < SCRAMBLED / 2
    )
