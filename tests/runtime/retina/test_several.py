from itertools import permutations

import numpy as np
import pytest
from fundus_drawings import Look, draw_fundus, overlap

from retinagan.runtime.retina.find import find_retina

LEFT, RIGHT = draw_fundus(300, 300, (150, 150, 135)), draw_fundus(300, 300, (145, 150, 130), Look(seed=3))


def codes(found):
    return [warning.code for warning in found.warnings]


def said(count, main, others):
    """The warning's words; `main` is the centre of the eye that is segmented."""
    return (
        f"{count} fields of view found, 1 segmented: the one round {main}, not {others}; "
        "cut the picture so that each image shows one eye",
    )


def test_one_eye_is_not_doubted():
    assert find_retina(LEFT[0]).warnings == ()


@pytest.mark.parametrize(
    ("stack", "other"), [(np.hstack, (445, 150)), (np.vstack, (145, 450))], ids=["beside", "below"]
)
def test_of_two_equal_eyes_the_first_is_taken_and_the_other_named(stack, other):
    found = find_retina(stack([LEFT[0], RIGHT[0]]))
    assert tuple(warning.message for warning in found.warnings) == said(2, (150, 150), other)
    assert codes(found) == ["several-fields-of-view"]
    assert overlap(found.mask, stack([LEFT[1], np.zeros_like(LEFT[1])])) > 0.97
    (left_out,) = found.others
    assert (left_out.center_x, left_out.center_y) == pytest.approx(other, abs=1)
    assert left_out.radius == pytest.approx(130, abs=2)


@pytest.mark.parametrize("light", [1.0, 0.5])
def test_of_unequal_eyes_the_larger_is_taken_wherever_it_is(light):
    color = tuple(light * channel for channel in Look().color)
    small, large = (
        draw_fundus(300, 300, (150, 150, 100)),
        draw_fundus(300, 300, (150, 150, 140), Look(color=color)),
    )
    found = find_retina(np.hstack([small[0], large[0]]))
    assert overlap(found.mask, np.hstack([np.zeros_like(small[1]), large[1]])) > 0.97
    assert [round(disc.radius, -1) for disc in found.others] == [100]


@pytest.mark.parametrize(("radius", "seen"), [(40, True), (25, False)])
def test_a_second_eye_is_seen_down_to_a_quarter_of_the_size(radius, seen):
    other, _ = draw_fundus(300, 200, (100, 80, radius), Look(seed=3))
    found = find_retina(np.hstack([LEFT[0], other]))
    assert codes(found) == ["several-fields-of-view"] * seen
    assert overlap(found.mask, np.hstack([LEFT[1], np.zeros((300, 200), np.bool_)])) > 0.97


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
    assert tuple(warning.message for warning in found.warnings) == said(2, (135, 135), (401, 135))
    assert 0.3 < found.mask.mean() < 0.45


def test_a_montage_of_four():
    rows = [np.hstack([LEFT[0], RIGHT[0]])] * 2
    found = find_retina(np.vstack(rows))
    (warning,) = found.warnings
    orders = permutations(["(150, 450)", "(445, 150)", "(445, 450)"])  # of equal size
    assert (warning.message,) in [said(4, (150, 150), " and ".join(order)) for order in orders]


@pytest.mark.parametrize("level", [255, 120])
def test_a_panel_beside_the_eye_is_no_eye(level):
    panel = np.full((300, 200, 3), level, np.uint8)
    found = find_retina(np.hstack([panel, np.zeros((300, 40, 3), np.uint8), LEFT[0]]))
    assert found.warnings == ()
    assert found.mask[:, :240].sum() == 0
