import cv2
import numpy as np
import pytest
from canon_eye import canon_eye
from retina_squares import square_of

from retinagan.runtime.images.reading import read_image
from retinagan.runtime.retina.find import find_retina
from retinagan.runtime.retina.fine import fine_square
from retinagan.runtime.retina.sharpness import FINE, FINEST, fine_detail, is_blurred

EYE = canon_eye().image
RETINA = find_retina(EYE)


def blurred(image, side=608):
    return is_blurred(fine_square(*square_of(image, RETINA, side)))


@pytest.mark.parametrize("side", [400, 608, 1000])
def test_a_sharp_eye_is_not_blurred(side):
    assert not blurred(EYE, side)


@pytest.mark.parametrize("quality", [15, 30, 75])
def test_compression_is_no_blur(quality):
    stored = cv2.imencode(".jpg", EYE, (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
    assert not blurred(cv2.imdecode(stored, cv2.IMREAD_COLOR))


@pytest.mark.parametrize("sigma", [2.5, 4])
def test_an_eye_out_of_focus_is(sigma):
    assert blurred(cv2.GaussianBlur(EYE, (0, 0), sigma))


def test_an_eye_that_was_enlarged_is():
    size = EYE.shape[1::-1]
    small = cv2.resize(EYE, (size[0] // 6, size[1] // 6), interpolation=cv2.INTER_AREA)
    assert blurred(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC))


def test_nothing_is_said_of_a_flat_picture():
    assert fine_detail(fine_square(*square_of(np.full_like(EYE, 90), RETINA))) == (np.inf, np.inf)


def test_no_real_photograph_is_blurred(drive):
    paths = sorted((drive / "test" / "images").glob("*.tif"))
    assert len(paths) == 20
    for image in (read_image(path).pixels for path in paths):
        finest, fine = fine_detail(fine_square(*square_of(image, find_retina(image))))
        assert max(finest / FINEST, fine / FINE) > 1.2
