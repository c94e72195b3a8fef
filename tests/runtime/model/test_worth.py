import dataclasses
import math

import pytest
from tiny_model import tiny_spec

from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.spec import ModelSpec
from retinagan.runtime.model.worth import worth_fault


@pytest.mark.parametrize(
    ("threshold", "scores", "message"),
    [
        (0.4, {}, ""),
        (0.4, {"auc": 0.98}, ""),
        (0.0, {}, "threshold 0: every pixel would be a vessel"),
        (1.0, {}, "threshold 1: no pixel would be a vessel"),
        (math.nan, {}, "threshold nan: no pixel would be a vessel"),
        (0.4, {"auc": None}, "its AUC could not be measured"),
        (0.4, {"auc": math.nan}, "its AUC could not be measured"),
        (0.4, {"auc": 0.55}, "AUC 0.5500, below 0.6: it does not tell vessels from the rest"),
    ],
)
def test_figures_that_no_trained_model_has(threshold, scores, message):
    fault = worth_fault(threshold, scores)
    assert fault.startswith(message)
    assert bool(fault) == bool(message)


@pytest.mark.parametrize("change", [{"threshold": 0.0}, {"threshold": 1.0}, {"scores": {"auc": 0.5}}])
def test_a_spec_with_such_figures_is_neither_read_nor_written(change, tmp_path):
    spec = dataclasses.replace(tiny_spec(), **change)
    with pytest.raises(ModelError, match=r"correct the data and train the model again$"):
        ModelSpec.from_json(spec.to_json())
    with pytest.raises(ModelError, match=r"correct the data and train the model again$"):
        spec.save(tmp_path / "model.onnx.json")
    assert not list(tmp_path.iterdir())
