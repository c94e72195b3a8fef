from dataclasses import replace

import numpy as np
import pytest
from drawn_retina import drawn_retina

from retinagan.runtime.batch import drawing
from retinagan.runtime.batch.drawing import PICTURES, Scene
from retinagan.runtime.batch.overlay import draw_overlay
from retinagan.runtime.batch.settings import Settings
from retinagan.runtime.images.photograph import Photograph
from retinagan.runtime.model.parameters import Preprocessing
from retinagan.runtime.retina.disc import Disc
from retinagan.runtime.segmenter import Segmentation
from retinagan.runtime.steps.prepare import prepare
from retinagan.runtime.warnings import ImageWarning

PROBABILITY = np.array([[0.0, 0.25], [0.75, 1.0]], np.float32)
RESULT = Segmentation(PROBABILITY, PROBABILITY > 0.5, np.ones((2, 2), np.bool_), {})
IMAGE = np.full((2, 2, 3), 90, np.uint8)
SCENE = Scene(Photograph(IMAGE, 8), RESULT)
SETTINGS = Settings("fake", "fake", "ab" * 32, 0.5, 0.0, "0.1.0", "0123456789abcdef")


def drawn_scene(colour="vessels", result_changes=(), **changes) -> Scene:
    image, lines = drawn_retina()
    prepared = prepare(image, Preprocessing("none", 5.0, 96))
    probability = np.where(lines, np.float32(0.8), np.float32(0.1))
    result = Segmentation(probability, lines, prepared.retina.mask, {}, field_of_view=45.0, confidence=0.81)
    return Scene(
        Photograph(image, 8, **changes),
        replace(result, **dict(result_changes)),
        replace(SETTINGS, overlay_colour=colour),
        prepared,
    )


def test_vessels_are_white():
    picture = PICTURES["vessels"](SCENE)
    assert (picture.dtype, picture.tolist()) == (np.uint8, [[0, 0], [255, 255]])


def test_probability_takes_all_of_16_bits():
    picture = PICTURES["probability"](SCENE)
    assert (picture.dtype, picture.tolist()) == (np.uint16, [[0, 16384], [49151, 65535]])


def test_the_overlay_is_drawn_over_the_image():
    expected = draw_overlay(IMAGE, RESULT.vessels, RESULT.roi)
    np.testing.assert_array_equal(PICTURES["overlay"](SCENE), expected)
    assert SCENE.coloring() is None


@pytest.mark.parametrize("colour", ["probability", "calibre"])
def test_the_overlay_is_coloured_as_asked_for_and_drawn_once(colour):
    scene = drawn_scene(colour)
    colors = scene.coloring().colors()
    image, result = scene.photograph.pixels, scene.result
    expected = draw_overlay(image, result.vessels, result.roi, colors=colors)
    np.testing.assert_array_equal(PICTURES["overlay"](scene), expected)
    assert PICTURES["overlay"](scene) is scene.overlay()


def test_the_panel_gets_what_the_run_knows(monkeypatch):
    given = []
    monkeypatch.setattr(
        drawing, "draw_panel", lambda parts: given.append(parts) or np.zeros((1, 1, 3), np.uint8)
    )
    doubt = ImageWarning("colours-guessed", "one doubt"), ImageWarning("negative", "another")
    scene = drawn_scene("calibre", {"warnings": doubt[1:], "threshold": 0.4}, warnings=doubt[:1])
    PICTURES["panel"](scene)
    (parts,) = given
    assert (
        parts.facts == "Model fake, vessels from a probability of 0.4, expected Dice 0.81. retinagan 0.1.0."
    )
    assert parts.doubts == "one doubt; another"
    assert parts.ruler.basis == "camera of 45 degrees, which is assumed"
    assert parts.coloring.name == "calibre in degrees"
    assert parts.equalization == "ace"
    assert parts.overlay is scene.overlay()


def test_a_map_that_was_not_judged_has_no_expected_dice():
    assert "Dice" not in drawn_scene(result_changes={"confidence": float("nan")})._facts(SETTINGS)
    assert PICTURES["panel"](drawn_scene()).shape[2] == 3


def test_eyes_that_are_not_segmented_are_marked():
    image = np.full((40, 60, 3), 90, np.uint8)
    empty = np.zeros((40, 60), np.float32)
    other = Disc(40.0, 20.0, 15.0)
    result = Segmentation(empty, empty > 0.5, empty > 0.5, {}, unsegmented=(other,))
    expected = draw_overlay(image, result.vessels, result.roi, [other])
    assert (expected != image).any()
    np.testing.assert_array_equal(PICTURES["overlay"](Scene(Photograph(image, 8), result)), expected)
