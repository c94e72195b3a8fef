from pathlib import Path

import pytest

from retinagan.runtime.errors import ModelError
from retinagan.runtime.model import bundled
from retinagan.runtime.model.bundled import bundled_model, bundled_models, find_model


@pytest.fixture
def models(tmp_path, monkeypatch) -> Path:
    """A folder of bundled models of our own."""
    for name in ("retina-gan", "fast"):
        (tmp_path / f"{name}.onnx").touch()
        (tmp_path / f"{name}.onnx.json").touch()
    monkeypatch.setattr(bundled, "_FOLDER", tmp_path)
    return tmp_path


def test_bundled_models_by_name(models):
    assert bundled_models() == ("fast", "retina-gan")
    assert bundled_model() == models / "retina-gan.onnx"
    assert bundled_model("fast") == models / "fast.onnx"
    with pytest.raises(
        ModelError, match='no bundled model is called "slow"; bundled models: fast, retina-gan'
    ):
        bundled_model("slow")


def test_a_model_is_found_by_name_or_path(models, tmp_path):
    own = tmp_path / "own.onnx"
    own.touch()
    assert find_model(None) == models / "retina-gan.onnx"
    assert find_model("fast") == models / "fast.onnx"
    assert find_model(own) == own
    assert find_model(str(own)) == own


def test_a_model_that_is_nowhere(models):
    message = '"slow" is neither a model file nor a bundled model; bundled models: fast, retina-gan'
    with pytest.raises(ModelError, match=message):
        find_model("slow")
