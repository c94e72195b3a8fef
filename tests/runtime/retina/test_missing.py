import numpy as np
import pytest
from canon_eye import canon_eye
from retina_squares import square_of

from retinagan.runtime.images.reading import read_image
from retinagan.runtime.retina.find import find_retina
from retinagan.runtime.retina.fine import fine_square
from retinagan.runtime.retina.missing import incomplete_warning, missing_share

EYE = canon_eye().image
RETINA = find_retina(EYE)


def missing(image, side=608):
    return missing_share(fine_square(*square_of(image, RETINA, side)))


@pytest.mark.parametrize("side", [304, 608, 1184])
def test_an_eye_is_complete(side):
    assert missing(EYE, side) == 0


@pytest.mark.parametrize("side", [304, 608, 1184])
@pytest.mark.parametrize("fill", ["grey", "last row", "last column"])
def test_what_a_decoder_fills_is_missing(fill, side):
    image, half = EYE.copy(), len(EYE) // 2
    if fill == "last column":
        image[:, half:] = image[:, half - 1 : half]
    else:
        image[half:] = 128 if fill == "grey" else image[half - 1]
    assert missing(image, side) == pytest.approx(0.5, abs=0.15)


def test_what_a_bar_covers_is_missing_whatever_its_colour():
    image = EYE.copy()
    image[250:350, 150:400] = (255, 220, 40)
    covered = 100 * 250 / np.count_nonzero(RETINA.mask)
    assert missing(image) == pytest.approx(covered, abs=0.02)
    assert incomplete_warning(covered).message.startswith(f"{covered:.0%} of the retina is covered")


def test_of_a_retina_without_pixels_nothing_is_missing():
    assert missing_share(fine_square(np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.bool_))) == 0


def test_no_real_photograph_misses_anything(drive):
    for path in sorted((drive / "test" / "images").glob("*.tif"))[:3]:
        image = read_image(path).as_rgb8()
        assert missing_share(fine_square(*square_of(image, find_retina(image)))) < 0.001
