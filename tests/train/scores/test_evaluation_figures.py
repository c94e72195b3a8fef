import math

import cv2
import numpy as np
import pytest
from drawn_retina import drawn_retina

from retinagan.runtime.steps.threshold import Thresholding
from retinagan.train.data.images import LabelledImage
from retinagan.train.scores import evaluation_figures
from retinagan.train.scores.evaluation import FOV, MODEL, POOLED, REGIONS, SECOND, measure, score
from retinagan.train.scores.evaluation_figures import draw_evaluation


def labelled(name, angles, second):
    image, lines = drawn_retina(100, 96, angles)
    fov = image.max(axis=2) > 0
    return LabelledImage(name, image, lines, fov, np.roll(lines, 1, axis=1) & fov if second else None)


@pytest.fixture(scope="module")
def measured():
    """Two images, the first of which a second observer drew too."""
    images = [labelled("a", (20, 75), True), labelled("b", (10, 100, 150), False)]

    def dark_is_vessel(image):
        return np.where(image.image[..., 1] < 60, np.float32(0.8), np.float32(0.3)) * image.fov

    return list(measure(dark_is_vessel, images, Thresholding(0.5)))


@pytest.fixture(scope="module")
def rows(measured):
    return score(measured)


@pytest.fixture
def drawn(monkeypatch):
    """What would be drawn, by file name."""
    drawn = {}

    def draw_roc(curves, points, path):
        drawn[path.name] = (curves, points)

    def draw_lines(lines, names, path):
        drawn[path.name] = (lines, names)

    monkeypatch.setattr(evaluation_figures, "draw_roc", draw_roc)
    monkeypatch.setattr(evaluation_figures, "draw_lines", draw_lines)
    return drawn


def test_both_charts_are_pictures(measured, rows, tmp_path):
    draw_evaluation(measured, rows, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images.png", "roc.png"]
    for path in tmp_path.iterdir():
        assert cv2.imread(str(path)).std() > 10


def test_a_curve_for_each_region_and_a_point_for_each_map(measured, rows, tmp_path, drawn):
    draw_evaluation(measured, rows, tmp_path)
    curves, points = drawn["roc.png"]
    assert list(curves) == list(REGIONS)
    assert list(points) == ["at the threshold", SECOND]
    pooled = [row.scores for row in rows if row.map == MODEL and row.image == POOLED]
    assert points["at the threshold"] == [(one.sensitivity, one.specificity) for one in pooled]


def test_each_images_scores_inside_the_fov(measured, rows, tmp_path, drawn):
    draw_evaluation(measured, rows, tmp_path)
    lines, names = drawn["images.png"]
    assert names == ["a", "b"]
    assert list(lines) == [
        f"{name}, inside the FOV" for name in ("accuracy", "sensitivity", "specificity", "Dice")
    ]
    found = {row.image: row.scores.dice for row in rows if row.map == MODEL and row.region == FOV}
    assert lines["Dice, inside the FOV"][MODEL] == [found["a"], found["b"]]


def test_an_image_that_no_second_observer_drew_has_a_gap(measured, rows, tmp_path, drawn):
    draw_evaluation(measured, rows, tmp_path)
    second = drawn["images.png"][0]["Dice, inside the FOV"][SECOND]
    assert 0 < second[0] < 1
    assert math.isnan(second[1])
