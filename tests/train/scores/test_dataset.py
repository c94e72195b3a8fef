from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from small_dataset import write_dataset

from retinagan.runtime.model.parameters import Preprocessing
from retinagan.train.data.files import find_dataset
from retinagan.train.data.given import ASSUMED, KNOWN
from retinagan.train.scores.dataset import (
    Task,
    Threshold,
    evaluate_dataset,
    threshold_from_training,
)
from retinagan.train.scores.prediction import Predictor

SCALED = Preprocessing(pixels_per_degree=18.0)


@pytest.fixture
def data(tmp_path):
    return str(write_dataset(tmp_path / "drawn"))


def perfect(**changes) -> Predictor:
    values = {
        "predict": lambda image: image.truth.astype(np.float32),
        "threshold": 0.4,
        "description": "perfect",
        "resources": nullcontext(),
    }
    return Predictor(**(values | changes))


def task(data: str, split: str = "test", angle: str = KNOWN) -> Task:
    return Task(data, find_dataset(data, split), split, angle, quiet=True)


def test_a_models_threshold_or_the_default():
    assert Threshold.of(perfect()) == Threshold(0.4, "the model's own")
    assert Threshold.of(perfect(threshold=None)).value == 0.5


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
    evaluation = evaluate_dataset(task(data), perfect(), Threshold(0.5, "given"), other=worse)
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
    evaluation = evaluate_dataset(task(data), perfect(record=record), Threshold(0.5, "given"))
    assert evaluation.known_images(evaluation.predictor) == (
        "; 1 of these trained the model or chose its threshold"
    )
