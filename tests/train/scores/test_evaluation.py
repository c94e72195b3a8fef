import math

import cv2
import numpy as np
import pytest
from drawn_retina import drawn_retina

from retinagan.runtime.errors import NoRetinaError
from retinagan.runtime.steps.threshold import Thresholding
from retinagan.train.data.images import LabelledImage
from retinagan.train.scores.counts import MapCounts
from retinagan.train.scores.evaluation import FOV, POOLED, REGIONS, SQUARE, WHOLE, inside_fov, measure, score


def labelled(name, angles, second=False):
    image, lines = drawn_retina(100, 96, angles)
    fov = image.max(axis=2) > 0
    return LabelledImage(name, image, lines, fov, np.roll(lines, 1, axis=1) & fov if second else None)


def dark_is_vessel(image):
    return np.where(image.image[..., 1] < 60, np.float32(0.8), np.float32(0.3)) * image.fov


IMAGES = [labelled("a", (20, 75), second=True), labelled("b", (10, 100, 150), second=True)]


@pytest.fixture(scope="module")
def rows():
    return score(list(measure(dark_is_vessel, IMAGES, Thresholding(0.5))))


def test_all_regions_are_scored_for_all_images_and_pooled(rows):
    model = [row for row in rows if row.map == "model"]
    assert [(row.region, row.image) for row in model] == [
        (region, name) for region in REGIONS for name in (POOLED, "a", "b")
    ]
    assert all(row.scores.sensitivity == 1.0 for row in model if row.region != SQUARE)
    assert model[0].scores.specificity <= model[3].scores.specificity
    assert len(rows) == 18


def test_the_second_observer_is_scored_as_a_map_without_a_curve(rows):
    second = rows[9]
    assert (second.map, second.region, second.image) == ("second observer", FOV, POOLED)
    assert second.scores.dice < 0.9
    assert math.isnan(second.scores.auc)
    assert math.isnan(second.interval[0].sensitivity_at_98)


def test_without_a_second_observer_there_are_no_such_rows():
    rows = score(list(measure(dark_is_vessel, [labelled("a", (20,))], Thresholding(0.5))))
    assert {row.map for row in rows} == {"model"}


def test_pooled_rows_of_several_images_have_intervals(rows):
    for row in rows:
        assert (row.interval is not None) == (row.image == POOLED)
    low, high = rows[9].interval
    assert low.dice < rows[9].scores.dice < high.dice
    alone = score(list(measure(dark_is_vessel, IMAGES[:1], Thresholding(0.5))))
    assert all(row.interval is None for row in alone)


def test_the_512_square_has_map_and_truth_resized_by_area(rows):
    image = IMAGES[0]
    probability, truth = (
        cv2.resize(values.astype(np.float32), (512, 512), interpolation=cv2.INTER_AREA)
        for values in (dark_is_vessel(image), image.truth)
    )
    expected = MapCounts.of(probability, truth >= 0.5, 0.5).scores()
    found = next(row.scores for row in rows if (row.region, row.image) == (SQUARE, "a"))
    assert found == expected
    assert found != next(row.scores for row in rows if (row.region, row.image) == (WHOLE, "a"))


def test_the_threshold_lies_between_the_vessels_and_the_rest():
    assert 0.3 < inside_fov(dark_is_vessel, IMAGES).best_threshold() <= 0.8


def test_an_image_that_cannot_be_predicted_is_named():
    def blind(image):
        raise NoRetinaError("no retina found")

    with pytest.raises(NoRetinaError, match=r"^a: no retina found"):
        list(measure(blind, IMAGES, Thresholding(0.5)))
