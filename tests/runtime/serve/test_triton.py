import json
import re
import sys

import fake_triton
import numpy as np
import pytest
from fake_triton import Code, Request
from tiny_model import write_tiny_model

from retinagan.runtime import EngineError, ModelError
from retinagan.runtime.serve.triton import BACKEND, TritonPythonModel


@pytest.fixture(autouse=True)
def backend(monkeypatch):
    monkeypatch.setitem(sys.modules, BACKEND, fake_triton)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("repository")
    (folder / "1").mkdir()
    write_tiny_model(folder / "1")
    return folder


def arguments(repository, kind="CPU", **parameters) -> dict[str, str]:
    """What Triton gives to a model; parameters replace those of its configuration."""
    given = {"model_file": "tiny.onnx", "engine": "onnxruntime", "threads": "1"} | parameters
    values = {name: {"string_value": value} for name, value in given.items()}
    return {
        "model_config": json.dumps({"name": "tiny", "parameters": values}),
        "model_instance_kind": kind,
        "model_instance_device_id": "2",
        "model_repository": str(repository),
        "model_version": "1",
        "model_name": "tiny",
    }


@pytest.fixture
def model(repository):
    made = TritonPythonModel()
    made.initialize(arguments(repository))
    yield made
    made.finalize()


def test_pixels_and_files_give_the_maps_of_the_segmenter(model, image, png):
    expected = model._handler.segmenter(image)
    outputs = ("report", "vessels", "probability", "roi")
    requests = [Request({"image": image}, outputs), Request({"file": np.array([png], np.object_)}, outputs)]
    for response in model.execute(requests):
        arrays = response.arrays()
        assert list(arrays) == ["vessels", "probability", "roi", "report"]
        for name in ("vessels", "probability", "roi"):
            np.testing.assert_array_equal(arrays[name], getattr(expected, name))
        assert json.loads(arrays["report"][0])["status"] == "done"


def test_only_what_is_asked_for_is_returned(model, image):
    (response,) = model.execute([Request({"image": image}, ("roi",))])
    assert list(response.arrays()) == ["roi"]


def test_parameters_of_a_request(repository, image):
    model = TritonPythonModel()
    model.initialize(arguments(repository, field_of_view="30"))
    (response,) = model.execute([Request({"image": image}, ("report",), {"colour": "red"})])
    assert (response.error.code, response.error.message) == (
        Code.INVALID_ARG,
        'parameters: got ["colour"]; expected field_of_view, frame',
    )
    (response,) = model.execute([Request({"image": image}, ("report",), {"field_of_view": "40"})])
    assert json.loads(response.arrays()["report"][0])["field_of_view_from"] == "fixed"
    model.finalize()


def test_a_bad_request_costs_no_other(model, image):
    bad = Request({"file": np.array([b"no image"], np.object_)})
    first, second, third = model.execute([bad, Request({"image": image}), Request({})])
    assert first.error.code == Code.INVALID_ARG
    assert first.error.message.startswith("not an image that can be read")
    assert second.error is None
    assert third.error.message.startswith('inputs: got none of "image" and "file"')


def test_a_failure_of_the_engine_is_not_the_requests_fault(model, image):
    model.finalize()
    (response,) = model.execute([Request({"image": image})])
    assert response.error.code == Code.INTERNAL
    assert "is closed" in response.error.message


@pytest.mark.parametrize(("kind", "device"), [("CPU", "cpu"), ("GPU", "cuda:2"), ("MODEL", "auto")])
def test_the_kind_of_the_instance_says_where_to_run(repository, monkeypatch, kind, device):
    class Opened(Exception):
        pass

    def segmenter(path, **options):
        assert path == repository / "1" / "tiny.onnx"
        assert options == {"device": device, "engine": "onnxruntime", "threads": 1, "field_of_view": None}
        raise Opened

    monkeypatch.setattr("retinagan.runtime.serve.triton.Segmenter", segmenter)
    with pytest.raises(Opened):
        TritonPythonModel().initialize(arguments(repository, kind))


def test_a_model_that_is_not_in_the_repository(repository):
    with pytest.raises(ModelError, match=r"none.onnx\" is neither a model file nor a bundled model"):
        TritonPythonModel().initialize(arguments(repository, model_file="none.onnx"))


def test_a_backend_that_changes_arrays_is_refused(repository, monkeypatch):
    monkeypatch.setattr(fake_triton, "Tensor", fake_triton.TensorOfOldBackend)
    message = (
        "this Triton's Python backend changes arrays ([0, 1, 2] came as [0, 0, 0]): it does not know NumPy"
    )
    with pytest.raises(
        EngineError, match=f"^{re.escape(message)} .*; use Triton 24.11 or later, or in its Python"
    ):
        TritonPythonModel().initialize(arguments(repository))
