import numpy as np
import pytest
from fundus_drawings import Look, draw_fundus, overlap

from retinagan.runtime.retina.find import find_retina

LEFT, RIGHT = draw_fundus(300, 300, (150, 150, 135)), draw_fundus(300, 300, (145, 150, 130), Look(seed=3))


def codes(found):
    return [warning.code for warning in found.warnings]


def said(count):
    return (f"{count} fields of view found, 1 segmented; cut the picture so that each image shows one eye",)


def test_one_eye_is_not_doubted():
    assert find_retina(LEFT[0]).warnings == ()


@pytest.mark.parametrize("stack", [np.hstack, np.vstack])
def test_two_eyes_are_counted_and_one_of_them_is_taken(stack):
    found = find_retina(stack([LEFT[0], RIGHT[0]]))
    nothing = np.zeros_like(LEFT[1])
    assert tuple(warning.message for warning in found.warnings) == said(2)
    assert codes(found) == ["several-fields-of-view"]
    taken = stack([LEFT[1], nothing]), stack([nothing, RIGHT[1]])
    assert max(overlap(found.mask, one) for one in taken) > 0.97


@pytest.mark.parametrize("light", [0.7, 0.4])
@pytest.mark.parametrize("radius", [110, 80])
def test_a_smaller_and_darker_second_eye_is_seen(light, radius):
    color = tuple(light * channel for channel in Look().color)
    other, _ = draw_fundus(300, 300, (140, 160, radius), Look(color=color))
    assert codes(find_retina(np.hstack([LEFT[0], other]))) == ["several-fields-of-view"]


def test_eyes_that_touch_are_parted():
    touching = [LEFT[0][15:286, 15:286], RIGHT[0][20:281, 15:276]]
    image = np.zeros((271, 532, 3), np.uint8)
    image[:, :271], image[5:266, 271:] = touching
    found = find_retina(image)
    assert tuple(warning.message for warning in found.warnings) == said(2)
    assert 0.3 < found.mask.mean() < 0.45


def test_a_montage_of_four():
    rows = [np.hstack([LEFT[0], RIGHT[0]])] * 2
    found = find_retina(np.vstack(rows))
    assert tuple(warning.message for warning in found.warnings) == said(4)


@pytest.mark.parametrize("level", [255, 120])
def test_a_panel_beside_the_eye_is_no_eye(level):
    panel = np.full((300, 200, 3), level, np.uint8)
    found = find_retina(np.hstack([panel, np.zeros((300, 40, 3), np.uint8), LEFT[0]]))
    assert found.warnings == ()
    assert found.mask[:, :240].sum() == 0
