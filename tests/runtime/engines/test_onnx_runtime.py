import importlib.metadata
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from adapter_contract import AdapterContract, patches
from onnx import helper
from tiny_model import tiny_graph, tiny_spec, write_tiny_model

from retinagan.runtime.engines import OnnxRuntimeAdapter
from retinagan.runtime.engines.cuda import driver as cuda_driver
from retinagan.runtime.engines.cuda.driver import find_gpu
from retinagan.runtime.errors import EngineError, ModelError, OptionError
from retinagan.runtime.model.parameters import NetworkInput
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.model.verification import UnverifiedModelWarning, sha256_of


class TestOnnxRuntime(AdapterContract):
    def open(self, model, spec):
        return OnnxRuntimeAdapter(model, spec, threads=1)


@pytest.mark.gpu
class TestOnnxRuntimeOnAGpu(AdapterContract):
    tolerance = 1e-4

    def open(self, model, spec):
        try:
            find_gpu()
        except EngineError as error:
            pytest.skip(str(error))
        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            pytest.skip("this ONNX Runtime was built without CUDA")
        return OnnxRuntimeAdapter(model, spec, "cuda")


def test_it_says_what_runs(model, spec):
    with OnnxRuntimeAdapter(model, spec, threads=2) as adapter:
        assert adapter.description == f"ONNX Runtime {onnxruntime.__version__}, CPUExecutionProvider"


def test_a_lone_file_runs_by_its_own_spec_with_one_warning(model):
    spec_path(model).unlink()
    with pytest.warns(
        UnverifiedModelWarning, match=r"tiny\.onnx is not verified: tiny\.onnx\.json"
    ) as caught:
        adapter = OnnxRuntimeAdapter(model, None)
    assert len(caught) == 1
    assert adapter.spec == replace(tiny_spec(), sha256=sha256_of(model))
    adapter.infer(*patches(1))


def test_a_lone_file_without_a_spec(tmp_path):
    path = tmp_path / "foreign.onnx"
    onnx.save(tiny_graph(), path)
    message = "foreign.onnx: no spec, neither foreign.onnx.json beside it nor in the file: .*retina-export"
    with pytest.raises(ModelError, match=message):
        OnnxRuntimeAdapter(path, None)


def test_a_lone_file_whose_spec_is_ill(tmp_path):
    path = write_tiny_model(tmp_path, metadata='{"format": 1}')
    with pytest.raises(ModelError, match=r"tiny\.onnx, metadata: name: missing"):
        OnnxRuntimeAdapter(path, None)


@pytest.mark.parametrize("content", [b"", b"not a model", None], ids=["empty", "text", "truncated"])
def test_a_broken_file_is_one_line_and_quiet(model, content, capfd):
    model.write_bytes(model.read_bytes()[:-100] if content is None else content)
    spec = replace(tiny_spec(), sha256=sha256_of(model))
    with pytest.raises(
        ModelError, match=r"tiny\.onnx: not an ONNX model that ONNX Runtime can load"
    ) as raised:
        OnnxRuntimeAdapter(model, spec)
    assert "\n" not in str(raised.value)
    assert capfd.readouterr() == ("", "")


def test_a_graph_that_is_no_vessel_model(tmp_path):
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 3])
    result = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 3])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [result])
    path = tmp_path / "relu.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    with pytest.raises(ModelError, match=r"relu\.onnx: its inputs are x; a vessel model has image and roi"):
        OnnxRuntimeAdapter(path, replace(tiny_spec(), sha256=sha256_of(path)))


@pytest.mark.parametrize("device", ["tpu", "", "tensorrt", "cuda:", "cuda:-1", "cuda:one"])
def test_an_unknown_device(model, spec, device):
    with pytest.raises(
        OptionError, match=f'device: got {device!r}; expected "auto", "cpu", "cuda" or "cuda:N"'
    ):
        OnnxRuntimeAdapter(model, spec, device)


def test_an_adapter_does_not_choose_the_device(model, spec):
    with pytest.raises(OptionError, match='device: got \'auto\'; ONNX Runtime is opened on "cpu", "cuda" or'):
        OnnxRuntimeAdapter(model, spec, "auto")


@pytest.mark.parametrize(
    ("options", "provider", "advice"),
    [
        (
            {},
            "CUDAExecutionProvider",
            ': pip uninstall onnxruntime, then pip install "retinagan[gpu]", or use the device cpu',
        ),
        ({"tensorrt": True}, "TensorrtExecutionProvider", ""),
    ],
)
def test_a_provider_that_is_not_there(model, spec, options, provider, advice, monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(EngineError) as raised:
        OnnxRuntimeAdapter(model, spec, "cuda", **options)
    assert str(raised.value) == (
        f"ONNX Runtime {onnxruntime.__version__} has no {provider} here, only CPUExecutionProvider{advice}"
    )


class GpuBuild:
    """Makes this ONNX Runtime look like one for GPUs; `asked` is what a session was opened with."""

    PROVIDERS = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")

    def __init__(self, monkeypatch):
        self.asked = self.preloaded = self.found = None
        self.error = None
        self.used = self.PROVIDERS
        real = onnxruntime.InferenceSession

        def open_session(path, options, providers, enable_fallback):
            assert enable_fallback == 0
            self.asked = dict(providers)
            if self.error is not None:
                raise self.error
            session = real(path, options, providers=["CPUExecutionProvider"])
            session.get_providers = lambda: list(self.used)
            return session

        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(self.PROVIDERS))
        monkeypatch.setattr(onnxruntime, "InferenceSession", open_session)
        monkeypatch.setattr(onnxruntime, "preload_dlls", self.preload, raising=False)
        monkeypatch.setattr("retinagan.runtime.engines.onnx_runtime.find_gpu", self.find)

    def find(self, index):
        self.found = index

    def preload(self):
        self.preloaded = True
        print("Failed to load libcublas.so")


@pytest.fixture
def gpu_build(monkeypatch) -> GpuBuild:
    return GpuBuild(monkeypatch)


def test_the_gpu_by_name(model, spec, gpu_build, capsys):
    with OnnxRuntimeAdapter(model, spec, "cuda") as adapter:
        assert adapter.description.endswith(", CUDAExecutionProvider")
    assert list(gpu_build.asked) == ["CUDAExecutionProvider", "CPUExecutionProvider"]
    assert gpu_build.asked["CUDAExecutionProvider"]["use_tf32"] == "0"
    assert gpu_build.asked["CUDAExecutionProvider"]["device_id"] == "0"
    assert gpu_build.preloaded
    assert capsys.readouterr() == ("", "Failed to load libcublas.so\n")


@pytest.mark.parametrize("options", [{}, {"tensorrt": True}])
@pytest.mark.filterwarnings("ignore:ONNX Runtime builds")
def test_the_second_gpu(model, spec, gpu_build, options):
    with OnnxRuntimeAdapter(model, spec, "cuda:1", **options) as adapter:
        assert adapter.description.endswith("ExecutionProvider, cuda:1")
    assert gpu_build.found == 1
    on_gpu = [options for name, options in gpu_build.asked.items() if name != "CPUExecutionProvider"]
    assert {one["device_id"] for one in on_gpu} == {"1"}


def test_tensorrt_by_name_is_given_the_specs_patches_with_a_warning(model, spec, gpu_build):
    warning = r"builds a TensorRT engine from .*tiny\.onnx at each start, .*: {2}retina-export .*rt$"
    with (
        pytest.warns(RuntimeWarning, match=warning),
        OnnxRuntimeAdapter(model, spec, "cuda", tensorrt=True) as adapter,
    ):
        assert adapter.description.endswith(", TensorrtExecutionProvider")
    assert list(gpu_build.asked) == list(GpuBuild.PROVIDERS)
    assert gpu_build.asked["TensorrtExecutionProvider"] == {
        "device_id": "0",
        "trt_profile_min_shapes": "image:1x3x64x64,roi:1x1x64x64",
        "trt_profile_opt_shapes": "image:64x3x64x64,roi:64x1x64x64",
        "trt_profile_max_shapes": "image:64x3x64x64,roi:64x1x64x64",
    }


def test_a_provider_that_is_listed_but_not_taken(model, spec, gpu_build):
    gpu_build.used = ["CPUExecutionProvider"]
    message = (
        "CUDAExecutionProvider was requested, but ONNX Runtime uses CPUExecutionProvider: .*"
        r'pip install "onnxruntime-gpu\[cuda,cudnn\]", or use the device cpu'
    )
    with pytest.raises(EngineError, match=message):
        OnnxRuntimeAdapter(model, spec, "cuda")


def test_a_provider_that_does_not_load(model, spec, gpu_build):
    gpu_build.error = RuntimeError("libcudnn.so.9: cannot open\nshared object file")
    message = r"CUDAExecutionProvider does not load \(libcudnn\.so\.9: cannot open shared object file\): CUDA"
    with pytest.raises(EngineError, match=message):
        OnnxRuntimeAdapter(model, spec, "cuda")


def test_a_provider_without_a_driver(model, spec, monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(GpuBuild.PROVIDERS))
    monkeypatch.setattr(cuda_driver, "LIBRARY", "libnosuchcuda.so.1")
    with pytest.raises(EngineError, match=r"no NVIDIA driver \(libnosuchcuda\.so\.1 is not found\)"):
        OnnxRuntimeAdapter(model, spec, "cuda")


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2"])
def test_a_wrong_number_of_threads(model, spec, threads):
    message = (
        f"threads: got {re.escape(repr(threads))}; expected a whole number from 1; leave it out for all cores"
    )
    with pytest.raises(OptionError, match=message):
        OnnxRuntimeAdapter(model, spec, threads=threads)


def test_no_onnx_runtime(model, spec, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        EngineError, match=r'ONNX Runtime cannot be imported .*pip install "retinagan\[cpu\]"'
    ):
        OnnxRuntimeAdapter(model, spec)


def test_both_wheels_of_onnx_runtime(model, spec, monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.31.1")
    with pytest.warns(RuntimeWarning, match="onnxruntime and onnxruntime-gpu are both installed"):
        OnnxRuntimeAdapter(model, spec)


def test_a_failing_run_is_an_engine_error_and_quiet(tmp_path, capfd):
    # The spec promises sizes that the network's pooling cannot join again.
    model = write_tiny_model(tmp_path, tiny_spec(network_input=NetworkInput(divisor=1)))
    with OnnxRuntimeAdapter(model, ModelSpec.load(spec_path(model))) as adapter:
        with pytest.raises(EngineError, match=r"ONNX Runtime .* failed on \(1, 3, 5, 5\)") as raised:
            adapter.infer(*patches(1, 5, 5))
        adapter.infer(*patches(1, 6, 6))
    assert "\n" not in str(raised.value)
    assert capfd.readouterr() == ("", "")


GROWTH = """
import sys
from pathlib import Path

from adapter_contract import patches

from retinagan.runtime.engines import OnnxRuntimeAdapter
from retinagan.runtime.model.spec import ModelSpec, spec_path


def resident_mib():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


model = Path(sys.argv[1])
with OnnxRuntimeAdapter(model, ModelSpec.load(spec_path(model)), threads=1) as adapter:
    largest = patches(1, 512, 512)
    adapter.infer(*largest)
    before = resident_mib()
    adapter.infer(*largest)
    for count in range(1, 13):
        adapter.infer(*patches(count, 128, 128))
        adapter.infer(*patches(1, 8 * count, 512))
    print(resident_mib() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads resident memory from /proc")
def test_memory_stays_flat_while_the_shape_changes(tmp_path):
    """In a process of its own: what earlier tests freed and left would be counted in."""
    model = write_tiny_model(tmp_path, width=32)
    command = [sys.executable, "-c", GROWTH, str(model)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert float(printed) < 16


def test_results_do_not_depend_on_the_number_of_threads(model, spec):
    image, roi = patches(3)
    with OnnxRuntimeAdapter(model, spec, threads=1) as one, OnnxRuntimeAdapter(model, spec, threads=2) as two:
        np.testing.assert_allclose(one.infer(image, roi), two.infer(image, roi), atol=1e-6)
