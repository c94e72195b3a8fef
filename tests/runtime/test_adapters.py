import importlib.metadata
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from adapter_contract import AdapterContract, patches
from onnx import helper
from retinagan.runtime.adapters import OnnxRuntimeAdapter, open_adapter
from retinagan.runtime.errors import EngineError, ModelError
from retinagan.runtime.spec import (
    EngineBuild,
    ModelSpec,
    NetworkInput,
    UnverifiedModelWarning,
    sha256_of,
    spec_path,
)
from tiny_model import tiny_graph, tiny_spec, write_tiny_model


class TestOnnxRuntime(AdapterContract):
    def open(self, model, spec):
        return OnnxRuntimeAdapter(model, spec, threads=1)


@pytest.fixture
def model(tmp_path) -> Path:
    return write_tiny_model(tmp_path)


@pytest.fixture
def spec(model) -> ModelSpec:
    return ModelSpec.load(spec_path(model))


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_open_adapter_takes_onnx_runtime_on_the_cpu(model, spec, device):
    with open_adapter(model, spec, device, threads=2) as adapter:
        assert adapter.description == f"ONNX Runtime {onnxruntime.__version__}, CPUExecutionProvider"


def test_a_lone_file_runs_by_its_own_spec_with_one_warning(model):
    spec_path(model).unlink()
    with pytest.warns(
        UnverifiedModelWarning, match=r"tiny\.onnx is not verified: tiny\.onnx\.json"
    ) as caught:
        adapter = open_adapter(model, None)
    assert len(caught) == 1
    assert adapter.spec == replace(tiny_spec(), sha256=sha256_of(model))
    adapter.infer(*patches(1))


def test_a_lone_file_without_a_spec(tmp_path):
    path = tmp_path / "foreign.onnx"
    onnx.save(tiny_graph(), path)
    message = "foreign.onnx: no spec, neither foreign.onnx.json beside it nor in the file: .*retina-export"
    with pytest.raises(ModelError, match=message):
        open_adapter(path, None)


def test_a_lone_file_whose_spec_is_ill(tmp_path):
    path = write_tiny_model(tmp_path, metadata='{"format": 1}')
    with pytest.raises(ModelError, match=r"tiny\.onnx, metadata: name: missing"):
        open_adapter(path, None)


@pytest.mark.parametrize("content", [b"", b"not a model", None], ids=["empty", "text", "truncated"])
def test_a_broken_file_is_one_line_and_quiet(model, content, capfd):
    model.write_bytes(model.read_bytes()[:-100] if content is None else content)
    spec = replace(tiny_spec(), sha256=sha256_of(model))
    with pytest.raises(
        ModelError, match=r"tiny\.onnx: not an ONNX model that ONNX Runtime can load"
    ) as raised:
        open_adapter(model, spec)
    assert "\n" not in str(raised.value)
    assert capfd.readouterr() == ("", "")


def test_a_folder_in_place_of_a_model(tmp_path):
    with pytest.raises(ModelError, match="no such model file"):
        open_adapter(tmp_path, None)


def test_a_graph_that_is_no_vessel_model(tmp_path):
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 3])
    result = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 3])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [result])
    path = tmp_path / "relu.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    with pytest.raises(ModelError, match=r"relu\.onnx: its inputs are x; a vessel model has image and roi"):
        open_adapter(path, None)


@pytest.mark.parametrize("device", ["cuda", "tpu", ""])
def test_a_device_that_is_not_there(model, spec, device):
    message = (
        f'device "{device}" cannot be used: known devices are "auto", "cpu"; ONNX Runtime .* has .*CPUExec'
    )
    with pytest.raises(EngineError, match=message):
        open_adapter(model, spec, device)


def test_a_provider_that_is_listed_but_does_not_load(model, spec, monkeypatch):
    monkeypatch.setattr(
        onnxruntime.InferenceSession, "get_providers", lambda session: ["AzureExecutionProvider"]
    )
    message = "CPUExecutionProvider was asked for, but ONNX Runtime took AzureExecutionProvider"
    with pytest.raises(EngineError, match=message):
        open_adapter(model, spec)


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2"])
def test_a_wrong_number_of_threads(model, spec, threads):
    message = (
        f"threads: got {re.escape(repr(threads))}; expected a whole number from 1, or None for all cores"
    )
    with pytest.raises(EngineError, match=message):
        open_adapter(model, spec, threads=threads)


def test_no_onnx_runtime(model, spec, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        EngineError, match=r'ONNX Runtime cannot be imported .*pip install "retinagan\[cpu\]"'
    ):
        open_adapter(model, spec)


def test_both_wheels_of_onnx_runtime(model, spec, monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.31.1")
    with pytest.warns(RuntimeWarning, match="onnxruntime and onnxruntime-gpu are both installed"):
        open_adapter(model, spec)


def test_an_engine_is_not_taken_for_an_onnx_file(model, spec):
    build = EngineBuild("tensorrt", "10.3.0", "Orin", "8.7", "linux-aarch64", (1, 4, 8), "tiny.onnx")
    with pytest.raises(
        EngineError, match=r"is an engine, built by tensorrt 10\.3\.0 for Orin; this version runs ONNX"
    ):
        open_adapter(model, replace(spec, engine=build))


def test_a_failing_run_is_an_engine_error_and_quiet(tmp_path, capfd):
    # The spec promises sizes that the network's pooling cannot join again.
    model = write_tiny_model(tmp_path, tiny_spec(network_input=NetworkInput(divisor=1)))
    with open_adapter(model, ModelSpec.load(spec_path(model))) as adapter:
        with pytest.raises(EngineError, match=r"ONNX Runtime .* failed on \(1, 3, 5, 5\)") as raised:
            adapter.infer(*patches(1, 5, 5))
        adapter.infer(*patches(1, 6, 6))
    assert "\n" not in str(raised.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform != "linux", reason="reads resident memory from /proc")
def test_memory_stays_flat_while_the_shape_changes(tmp_path):
    model = write_tiny_model(tmp_path, width=32)
    with open_adapter(model, ModelSpec.load(spec_path(model)), threads=1) as adapter:
        largest = patches(1, 512, 512)
        adapter.infer(*largest)
        before = resident_mib()
        adapter.infer(*largest)
        for count in range(1, 13):
            adapter.infer(*patches(count, 128, 128))
            adapter.infer(*patches(1, 8 * count, 512))
        assert resident_mib() - before < 16


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def test_results_do_not_depend_on_the_number_of_threads(model, spec):
    image, roi = patches(3)
    with open_adapter(model, spec, threads=1) as one, open_adapter(model, spec, threads=2) as two:
        np.testing.assert_allclose(one.infer(image, roi), two.infer(image, roi), atol=1e-6)
