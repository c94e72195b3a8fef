import cv2
import numpy as np
import pytest
from canon_eye import canon_eye

from retinagan.runtime.retina.find import find_retina
from retinagan.runtime.steps.picture import picture_of, picture_warnings


@pytest.fixture(scope="module")
def eye():
    return canon_eye().image


def codes(image):
    return [warning.code for warning in picture_warnings(picture_of(image, find_retina(image)))]


def test_a_small_square_is_not_enlarged(eye):
    image = cv2.resize(eye, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    picture = picture_of(image, find_retina(image))
    assert len(picture.square) == picture.crop.side == pytest.approx(271, abs=2)


def test_other_squares_have_one_size(eye):
    large = cv2.resize(eye, None, fx=2, fy=2)
    for image, scale in ((eye, 1), (large, 2)):
        picture = picture_of(image, find_retina(image))
        assert picture.square.shape == (608, 608, 3)
        assert picture.roi.shape == (608, 608)
        assert picture.crop.side == pytest.approx(scale * 541, abs=4)


def test_a_sound_picture_is_not_doubted(eye):
    assert codes(eye) == []


def test_a_scrambled_part_is_named(eye):
    image = eye.copy()
    image[300:] = np.random.default_rng(0).integers(0, 256, image[300:].shape)
    assert codes(image) == ["scrambled"]


def test_a_part_that_the_picture_lacks_is_named_once(eye):
    image = eye.copy()
    image[400:] = image[399]
    assert codes(image) == ["retina-incomplete"]
    image = eye.copy()
    image[330:380] = 0
    retina = find_retina(image)
    known = [warning.code for warning in retina.warnings]
    assert (known + codes(image)).count("retina-incomplete") <= 1


def test_a_small_picture_is_not_searched_for_writing(eye):
    image = eye.copy()
    cv2.putText(image, "OD", (150, 300), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (255, 255, 255), 2)
    assert codes(image) == ["writing-on-retina"]
    assert codes(cv2.resize(image, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)) == []


def lit(image, light):
    return np.clip(np.round(image * np.float32(light)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("light", "found"),
    [(0.5, []), (0.1, ["few-grey-levels"]), (0.05, ["few-grey-levels"]), (2.5, ["overexposed"])],
)
def test_too_little_or_too_much_light_is_named(eye, light, found):
    image = lit(eye, light)
    assert codes(image) == found


def test_a_white_bar_is_not_overexposed(eye):
    image = eye.copy()
    image[250:340, 100:400] = 255
    assert "overexposed" not in codes(image)
