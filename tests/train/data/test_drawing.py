import cv2
import numpy as np
import pytest
from synthetic_fundus import FundusOptions, render

from retinagan.runtime.retina.find import find_retina
from retinagan.train.data.drawing import drawing_fault

EYE = render(FundusOptions(seed=5, camera="canon"))
DISC = find_retina(EYE.image).disc
ROWS, COLUMNS = np.indices(EYE.vessels.shape)


def test_all_vessels_of_an_eye_and_nothing_are_no_fault():
    assert drawing_fault(EYE.vessels, DISC) == ""
    assert drawing_fault(np.zeros_like(EYE.vessels), DISC) == ""


@pytest.mark.parametrize(
    ("part", "side"),
    [
        (DISC.center_x > COLUMNS, "right"),
        (DISC.center_x <= COLUMNS, "left"),
        (DISC.center_y > ROWS, "lower"),
        (DISC.center_y + DISC.center_x > ROWS + COLUMNS, "lower right"),
    ],
)
def test_half_a_drawing_is_refused_with_the_half_that_is_missing(part, side):
    fault = drawing_fault(EYE.vessels & part, DISC)
    assert fault == (
        f"only 0% of what is drawn lies in the {side} half of the retina; complete the map, "
        "or cut image and map to the part that is drawn"
    )


def test_an_optic_disc_among_the_vessels_is_refused():
    spot = (COLUMNS - 450) ** 2 + (ROWS - 300) ** 2 < 40**2
    fault = drawing_fault(EYE.vessels | spot, DISC)
    assert fault.endswith(
        "as wide as the retina is drawn, such as an optic disc; vessels are lines: erase it"
    )


def test_outlines_are_refused():
    pixels = EYE.vessels.astype(np.uint8)
    outline = pixels - cv2.erode(pixels, np.ones((3, 3), np.uint8))
    assert "is one or two pixels wide, as centrelines or outlines are" in drawing_fault(outline > 0, DISC)
