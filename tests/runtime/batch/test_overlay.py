import numpy as np
import pytest

from retinagan.runtime.batch.overlay import RIM_COLOR, UNSEGMENTED_COLOR, VESSEL_COLOR, draw_overlay
from retinagan.runtime.images.photograph import Photograph
from retinagan.runtime.retina.disc import Disc


@pytest.fixture
def scene():
    """A grey image with a disc, and in it a vessel 9 pixels wide."""
    rows, columns = np.mgrid[:120, :160]
    roi = np.hypot(rows - 60, columns - 80) < 50
    vessels = roi & (np.abs(rows - 60) <= 4) & (np.abs(columns - 80) < 30)
    return np.full((120, 160, 3), 100, np.uint8), vessels, roi


def nearness(drawn, image, color):
    """How far each pixel went from the image's colour to another: 0 to 1, for the strongest channel."""
    way = np.array(color, float) - image
    return ((drawn - image.astype(float)) * way).sum(-1) / (way**2).sum(-1)


def test_vessels_are_outlined_and_tinted_and_nothing_else_is_touched(scene):
    image, vessels, roi = scene
    drawn = draw_overlay(image, vessels, roi)
    share = nearness(drawn, image, VESSEL_COLOR)
    assert share[56, 80] == pytest.approx(0.75, abs=0.01)  # the vessel's edge
    assert share[60, 80] == pytest.approx(0.35, abs=0.01)  # its middle
    rows, columns = np.mgrid[:120, :160]
    inner = (np.hypot(rows - 60, columns - 80) < 48) & ~vessels
    np.testing.assert_array_equal(drawn[inner], image[inner])
    np.testing.assert_array_equal(drawn[~roi], image[~roi])


def test_the_rim_is_drawn_all_round_and_at_the_frames_edge(scene):
    image, vessels, roi = scene
    drawn = draw_overlay(image, np.zeros_like(vessels), roi)
    changed = (drawn != image).any(-1)
    assert nearness(drawn, image, RIM_COLOR)[changed] == pytest.approx(0.6, abs=0.01)
    assert changed[60, 31]
    assert changed[11, 80]
    whole = draw_overlay(image, np.zeros_like(vessels), np.ones_like(roi))
    assert (whole != image).any(-1).sum() == 2 * (120 + 160) - 4


def test_other_eyes_are_circled_and_crossed_out(scene):
    image, vessels, roi = (np.hstack([array, np.zeros_like(array)]) for array in scene)
    image[:, 160:] = 80
    drawn = draw_overlay(image, vessels, roi, [Disc(240.0, 60.0, 40.0)])
    share = nearness(drawn[:, 160:], image[:, 160:], UNSEGMENTED_COLOR)
    np.testing.assert_allclose(share[[60, 60, 20, 60 + 20], [80, 40, 80, 80 - 20]], 0.9, atol=0.01)
    assert share[60, 100] == 0  # between the diagonals
    assert share[60, 130] == 0  # outside
    np.testing.assert_array_equal(drawn[:, :160], draw_overlay(image, vessels, roi)[:, :160])


def test_a_cross_spares_the_eye_that_is_segmented_and_ends_at_the_frame(scene):
    image, vessels, roi = scene
    drawn = draw_overlay(image, vessels, roi, [Disc(150.0, 60.0, 60.0)])
    np.testing.assert_array_equal(drawn[roi], draw_overlay(image, vessels, roi)[roi])
    assert (drawn[~roi] != image[~roi]).any()


def test_lines_grow_with_the_image(scene):
    image, vessels, roi = (array.repeat(20, axis=0).repeat(20, axis=1) for array in scene)
    changed = (draw_overlay(image, np.zeros_like(vessels), roi) != image).any(-1)
    row = changed[60 * 20, : 80 * 20]
    assert row.sum() == round(160 * 20 / 700)


def test_the_image_is_not_changed(scene):
    image, vessels, roi = scene
    before = image.copy()
    draw_overlay(image, vessels, roi)
    np.testing.assert_array_equal(image, before)


def test_grey_frames_and_photographs_are_drawn_in_rgb(scene):
    image, vessels, roi = scene
    expected = draw_overlay(image, vessels, roi)
    np.testing.assert_array_equal(draw_overlay(image[..., 0], vessels, roi), expected)
    photograph = Photograph(image[..., 0].astype(np.uint16) << 4, 12)
    np.testing.assert_array_equal(draw_overlay(photograph, vessels, roi), expected)
    assert (image == 100).all()


def test_vessels_are_filled_with_colours_that_are_given(scene):
    image, vessels, roi = scene
    colors = np.full_like(image, (10, 20, 250))
    drawn = draw_overlay(image, vessels, roi, colors=colors)
    expected = np.rint(0.15 * 100 + 0.85 * np.array([10, 20, 250]))
    np.testing.assert_allclose(drawn[vessels], np.broadcast_to(expected, drawn[vessels].shape), atol=1)
    np.testing.assert_array_equal(drawn[~vessels], draw_overlay(image, np.zeros_like(vessels), roi)[~vessels])
