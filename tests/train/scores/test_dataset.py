from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from small_dataset import write_dataset

from retinagan.runtime.model.parameters import MapThreshold, Preprocessing
from retinagan.runtime.steps.threshold import Thresholding
from retinagan.train.data.files import find_dataset
from retinagan.train.data.given import ASSUMED, KNOWN
from retinagan.train.scores.dataset import (
    Task,
    Threshold,
    evaluate_dataset,
    threshold_from_training,
)
from retinagan.train.scores.evaluation import POOLED, REGIONS
from retinagan.train.scores.prediction import Predictor

SCALED = Preprocessing(pixels_per_degree=18.0)


@pytest.fixture
def data(tmp_path):
    return str(write_dataset(tmp_path / "drawn"))


def perfect(**changes) -> Predictor:
    values = {
        "predict": lambda image: image.truth.astype(np.float32),
        "thresholding": Thresholding(0.4),
        "description": "perfect",
        "resources": nullcontext(),
    }
    return Predictor(**(values | changes))


def task(data: str, split: str = "test", angle: str = KNOWN) -> Task:
    return Task(data, find_dataset(data, split), split, angle, quiet=True)


def test_a_models_threshold_or_the_default():
    assert Threshold.of(perfect()) == Threshold.fixed(0.4, "the model's own")
    assert Threshold.of(perfect(thresholding=None)).thresholding == Thresholding(0.5)


def test_each_map_has_the_threshold_that_the_models_rule_gives_it(data):
    maps = {}

    def unsure(image):
        random = np.random.default_rng(len(maps))
        maps[image.name] = random.beta(0.2, 1.2 - 0.4 * len(maps), image.truth.shape).astype(np.float32)
        return maps[image.name]

    by_rule = perfect(predict=unsure, thresholding=Thresholding(0.4, MapThreshold()))
    found = evaluate_dataset(task(data), by_rule, Threshold.of(by_rule))
    low, high = sorted(image.threshold for image in found.measured)
    assert 0.2 <= low < high <= 0.7
    told = found.threshold.told(found.measured)
    assert told == f"threshold {low:.4g} to {high:.4g}: each map's own, by the model's rule"
    facts = found.facts()
    assert facts["threshold"] == 0.4
    assert sorted(facts["thresholds"].values()) == [low, high]
    pooled = next(row for row in found.rows if (row.image, row.region) == (POOLED, REGIONS[1]))
    drawn = {image.name: image.truth for image in task(data).images()}
    marked = {image.name: maps[image.name] >= image.threshold for image in found.measured}
    right = sum((marked[name] & drawn[name]).sum() for name in maps)
    both = sum(marked[name].sum() + drawn[name].sum() for name in maps)
    assert pooled.scores.dice == pytest.approx(2 * right / both, abs=1e-4), "each map at its own"


def test_the_angle_is_told_or_kept_from_the_model(data):
    assert {image.field_of_view for image in task(data).images()} == {45.0}
    assert {image.field_of_view for image in task(data, angle=ASSUMED).images()} == {None}


def test_the_angle_in_words(data):
    scaled, known = perfect(preprocessing=SCALED), task(data)
    assert known.angle_told(perfect()) == ""
    assert known.angle_told(scaled) == "45 degrees, known of the dataset"
    assert task(data, angle=ASSUMED).angle_told(scaled) == "45 degrees, assumed by the model"
    first, *others = known.dataset.samples
    mixed = [replace(first, field_of_view=None), *(replace(one, field_of_view=30.0) for one in others)]
    partly = replace(known, dataset=replace(known.dataset, samples=mixed))
    assert partly.angle_told(scaled) == "30 degrees, known of the dataset; 45 where it is not known"


def test_a_dataset_is_scored_and_compared(data):
    worse = perfect(predict=lambda image: np.zeros(image.truth.shape, np.float32), description="blind")
    evaluation = evaluate_dataset(
        task(data), perfect(), Threshold.fixed(0.5, "given"), other=(worse, Threshold.of(worse))
    )
    assert evaluation.data == "drawn"
    assert evaluation.rows[0].scores.dice == 1.0
    facts = evaluation.facts()
    assert (facts["images"], facts["threshold_from"]) == (2, "given")
    assert facts["against"]["predictor"] == "blind"
    assert facts["against"]["differences"][0]["dice"] == 1.0


def test_training_images_choose_a_threshold_but_never_their_own(data):
    chosen = threshold_from_training(task(data), perfect())
    assert chosen.origin == "the largest Dice inside the FOV on 3 training images of drawn"
    assert threshold_from_training(task(data, "training"), perfect()) == chosen
    with pytest.raises(ValueError, match=r"images to score are training images of .*drawn, so they"):
        threshold_from_training(task(data, "all"), perfect())


def test_images_that_trained_the_model_are_counted(data):
    record = {"data": "drawn", "training_images": ["24_test"]}
    evaluation = evaluate_dataset(task(data), perfect(record=record), Threshold.fixed(0.5, "given"))
    assert evaluation.known_images(evaluation.predictor) == (
        "; 1 of these trained the model or chose its threshold"
    )
