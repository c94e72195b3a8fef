import json

import numpy as np
import pytest
from tiny_model import write_tiny_model

from retinagan.runtime.doctor.self_test import PICTURE, PROBABILITY, RECORD, judged, run_self_test
from retinagan.runtime.errors import ModelError
from retinagan.runtime.images.reading import read_image
from retinagan.runtime.model.bundled import bundled_model
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.steps.threshold import Thresholding


def test_the_record_is_of_the_bundled_model():
    spec, record = ModelSpec.load(spec_path(bundled_model())), json.loads(RECORD.read_text())
    again = "the bundled model has changed: python benchmarks/record_self_test.py"
    assert (record["model"], record["sha256"]) == (spec.name, spec.sha256), again
    levels = read_image(PROBABILITY).pixels / np.float32(255)
    assert record["threshold"] == pytest.approx(Thresholding.of_spec(spec).of_map(levels), abs=0.01), again


def test_the_picture_and_its_map_are_small_and_alike():
    picture, levels = read_image(PICTURE).pixels, read_image(PROBABILITY).pixels
    assert picture.shape == (*levels.shape, 3)
    assert picture.dtype == levels.dtype == np.uint8
    assert PICTURE.stat().st_size + PROBABILITY.stat().st_size < 100_000
    assert 0.03 < (levels > 127).mean() < 0.2


def test_the_bundled_model_passes():
    found = run_self_test(None, "auto", "cpu")
    assert found["problem"] == ""
    assert found["recorded"]
    assert found["dice"] > 0.99
    assert found["difference"] < 0.002  # half a level of the recorded map's 8 bits, and rounding
    assert found["seconds"] > 0
    assert found["description"]


def test_a_model_that_sees_no_vessels_does_not_pass(tmp_path):
    found = run_self_test(write_tiny_model(tmp_path), "onnxruntime", "cpu")
    assert not found["recorded"]
    assert found["problem"].startswith("wrong vessels: Dice with the recorded ones is 0.")
    assert found["problem"].endswith("; expected at least 0.6")


def test_no_model(tmp_path):
    with pytest.raises(ModelError, match="neither a model file nor a bundled model"):
        run_self_test(tmp_path / "gone.onnx", "auto", "auto")


@pytest.mark.parametrize(
    ("dice", "difference", "recorded", "problem"),
    [
        (0.98, 0.009, True, ""),
        (0.96, 0.001, True, "wrong vessels: Dice with the recorded ones is 0.960; expected at least 0.97"),
        (0.98, 0.02, True, "wrong probability: the mean difference is 0.0200; expected at most 0.01"),
        (0.61, 0.2, False, ""),
        (0.59, 0.0, False, "wrong vessels: Dice with the recorded ones is 0.590; expected at least 0.6"),
        (
            float("nan"),
            0.0,
            True,
            "wrong vessels: Dice with the recorded ones is nan; expected at least 0.97",
        ),
        (1.0, float("nan"), True, "wrong probability: the mean difference is nan; expected at most 0.01"),
    ],
)
def test_what_is_wrong_is_said_with_what_was_expected(dice, difference, recorded, problem):
    assert judged(dice, difference, recorded=recorded) == problem
