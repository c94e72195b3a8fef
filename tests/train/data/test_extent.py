import cv2
import numpy as np
import pytest
from canon_eye import canon_eye

from retinagan.runtime.retina.find import find_retina
from retinagan.runtime.steps.picture import picture_of
from retinagan.train.data.extent import drawing_doubts, extent_fault
from retinagan.train.data.files import find_samples
from retinagan.train.data.images import load_labelled


class Eye:
    """A drawn eye at twice the size, as of a current camera, with its vessels."""

    def __init__(self):
        fundus = canon_eye(20)
        self.image = cv2.resize(fundus.image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        self.vessels = cv2.resize(fundus.vessels * np.uint8(255), None, fx=2, fy=2) > 127
        self.retina = find_retina(self.image)
        self.picture = picture_of(self.image, self.retina)
        rows, columns = np.indices(self.vessels.shape)
        self.right = (columns - self.retina.disc.center_x) / self.retina.disc.radius
        self.down = (rows - self.retina.disc.center_y) / self.retina.disc.radius


@pytest.fixture(scope="module")
def eye():
    return Eye()


def test_all_vessels_of_an_eye_are_not_doubted(eye):
    assert extent_fault(eye.picture, eye.vessels) == ""
    assert drawing_doubts(eye.picture, eye.vessels) == []


@pytest.mark.parametrize(
    ("missing", "side"),
    [
        (lambda eye: eye.right > 0.3, "right"),
        (lambda eye: eye.down > 0.3, "lower"),
        (lambda eye: eye.right < -0.4, "left"),
        (lambda eye: (eye.right < 0) & (eye.down < 0), "upper left"),
    ],
)
def test_a_part_of_which_no_vessels_are_drawn_is_named(eye, missing, side):
    (doubt,) = drawing_doubts(eye.picture, eye.vessels & ~missing(eye))
    assert doubt.startswith("only ")
    assert doubt.endswith("are drawn; look whether the map is complete there")
    assert side.split()[-1] in doubt


def test_bright_vessels_are_held_against_bright_lines(eye):
    negative = np.where(eye.retina.mask[..., None], 255 - eye.image, 0).astype(np.uint8)
    picture = picture_of(negative, eye.retina)
    assert drawing_doubts(picture, eye.vessels) == []
    assert len(drawing_doubts(picture, eye.vessels & (eye.right < 0.3))) == 1


def test_vessels_drawn_as_outlines_are_refused(eye):
    contours, _ = cv2.findContours(eye.vessels.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    outlines = np.zeros(eye.vessels.shape, np.uint8)
    cv2.drawContours(outlines, contours, -1, 1, 2)
    assert extent_fault(eye.picture, outlines > 0) == (
        "what lies between the drawn lines is as dark as the lines: vessels are drawn as outlines; fill them"
    )


def test_vessels_drawn_too_narrow_are_doubted(eye):
    narrow = cv2.erode(eye.vessels.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert extent_fault(eye.picture, narrow) == ""
    assert any("drawn as wide as they are" in doubt for doubt in drawing_doubts(eye.picture, narrow))


def test_vessels_drawn_too_wide_are_doubted_and_much_too_wide_ones_refused(eye):
    pixels = eye.vessels.astype(np.uint8)
    wide, much_too_wide = (cv2.dilate(pixels, np.ones((side, side), np.uint8)) > 0 for side in (5, 17))
    assert extent_fault(eye.picture, wide) == ""
    (doubt,) = drawing_doubts(eye.picture, wide)
    assert doubt.startswith("the border of what is drawn is only ")
    assert doubt.endswith(" as dark as all of it; look whether vessels are drawn too wide")
    assert extent_fault(eye.picture, much_too_wide) == (
        "the border of what is drawn is brighter than what lies around: draw vessels as wide as they are"
    )


def test_vessels_drawn_in_coarse_steps_are_doubted(eye):
    share = cv2.resize(eye.vessels * np.uint8(255), None, fx=1 / 16, fy=1 / 16, interpolation=cv2.INTER_AREA)
    coarse = cv2.resize(share, eye.vessels.shape[::-1], interpolation=cv2.INTER_NEAREST) > 100
    assert any(doubt.endswith("in coarse steps, or shifted") for doubt in drawing_doubts(eye.picture, coarse))


def test_specks_are_doubted(eye):
    specks = eye.vessels | (np.random.default_rng(0).random(eye.vessels.shape) < 0.01)
    assert any(
        "% of what is drawn lies in specks of fewer" in one for one in drawing_doubts(eye.picture, specks)
    )


def test_a_map_of_the_thickest_vessels_alone_is_doubted(eye):
    thick = cv2.morphologyEx(eye.vessels.astype(np.uint8), cv2.MORPH_OPEN, np.ones((13, 13), np.uint8)) > 0
    assert any("look whether thin vessels are missing" in one for one in drawing_doubts(eye.picture, thick))


def test_small_images_and_empty_drawings_are_not_judged(eye):
    image = cv2.resize(eye.image, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    nothing = np.zeros(image.shape[:2], np.bool_)
    nothing[0, 0] = True
    assert drawing_doubts(picture_of(image, find_retina(image)), nothing) == []
    assert drawing_doubts(eye.picture, np.zeros_like(eye.vessels)) == []
    assert extent_fault(eye.picture, np.zeros_like(eye.vessels)) == ""


def test_no_experts_map_is_doubted(drive, capsys):
    for sample in find_samples(drive, "test")[:6]:
        assert load_labelled(sample).second is not None
    assert capsys.readouterr().err == ""
