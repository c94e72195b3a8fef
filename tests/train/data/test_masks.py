import numpy as np
import pytest

from retinagan.train.data.masks import fov_fault, rim_of, truth_fault

ROWS, COLUMNS = np.indices((200, 240))
RETINA = (ROWS - 100) ** 2 + (COLUMNS - 120) ** 2 < 90**2
VESSELS = RETINA & (ROWS % 20 < 2)
RIM = rim_of(RETINA, 90)


@pytest.mark.parametrize("fov", [RETINA, np.roll(RETINA, 4, 1), RETINA & (ROWS > 14)])
def test_a_mask_like_the_retina_fits(fov):
    assert fov_fault(fov, VESSELS, RETINA) == ""


@pytest.mark.parametrize(
    ("fov", "message"),
    [
        (np.zeros_like(RETINA), "the mask is empty"),
        (~RETINA, "the mask looks inverted: it is black where the retina is"),
        (np.ones_like(RETINA), "the mask covers the whole picture, but the retina found in it 53%"),
        (VESSELS, "the mask looks like the vessel map"),
        (np.roll(RETINA, 60, 1), "the mask and the retina found in the picture overlap by only 41%"),
    ],
)
def test_a_mask_that_is_none_is_said_to_be_what_it_looks_like(fov, message):
    assert fov_fault(fov, VESSELS, RETINA).startswith(message)


def test_without_a_retina_the_vessels_speak():
    assert fov_fault(RETINA, VESSELS, None) == ""
    assert fov_fault(~RETINA, VESSELS, None) == "100% of the vessels lie outside the mask"


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        (VESSELS, ""),
        (np.zeros_like(RETINA), "0% of it is vessel, expected more than none and less than half"),
        (~VESSELS, "9"),
        (RETINA & ~VESSELS & (ROWS < 150), "75% of the retina is vessel, expected less than half"),
        (VESSELS | (~RETINA & (ROWS < 60)), "77% of what is drawn lies outside the retina that is found"),
        (VESSELS | RIM, "100% of the rim of the retina is drawn as vessel: erase its outline"),
    ],
)
def test_a_map_that_cannot_be_vessels_is_said_to_be_so(truth, message):
    fault = truth_fault(truth, RETINA, RIM)
    assert fault.startswith(message)
    assert bool(fault) == bool(message)
