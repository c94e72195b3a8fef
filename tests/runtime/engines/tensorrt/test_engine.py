import ctypes
import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from adapter_contract import AdapterContract, patches
from fake_gpu import REAL_PYCUDA, compile_driver_for_pycuda, fake_pycuda
from fake_tensorrt import VERSIONS
from tiny_model import PATCH, reference_output, tiny_spec, write_tiny_model

from retinagan.runtime.engines import TensorRtAdapter, open_adapter
from retinagan.runtime.engines.cuda import driver as cuda_driver
from retinagan.runtime.engines.cuda.driver import find_gpu
from retinagan.runtime.engines.tensorrt.device import import_tensorrt, this_system
from retinagan.runtime.errors import EngineError, ImageError, ModelError
from retinagan.runtime.model.parameters import EngineBuild
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.model.verification import sha256_of


def build(version: str = "10.3.0", **changes) -> EngineBuild:
    values = {
        "builder": "tensorrt_rtx" if version.startswith("rtx") else "tensorrt",
        "version": version.removeprefix("rtx-"),
        "gpu": "Fake GPU",
        "compute_capability": "8.7",
        "system": this_system(),
        "batch": (1, 4, 8),
        "source": "tiny.onnx",
    }
    return EngineBuild(**(values | changes))


def write_engine(folder: Path, engine: EngineBuild | None = None) -> Path:
    return write_tiny_model(folder, tiny_spec(file="tiny.engine", engine=engine or build()))


@pytest.fixture
def engine(tmp_path) -> Path:
    return write_engine(tmp_path)


@pytest.fixture
def spec(engine) -> ModelSpec:
    return ModelSpec.load(spec_path(engine))


class TestTensorRt(AdapterContract):
    @pytest.fixture(autouse=True)
    def gpu_here(self, gpu):
        return gpu

    @pytest.fixture
    def model(self, tmp_path) -> Path:
        return write_engine(tmp_path)

    def open(self, model, spec):
        return TensorRtAdapter(model, spec)

    def test_a_spec_without_hash(self, model):
        with pytest.raises(ModelError, match="sha256: missing; export the model again"):
            self.open(model, replace(tiny_spec(), sha256="", engine=build()))


@pytest.mark.parametrize("version", VERSIONS)
def test_it_uses_no_name_that_a_version_lacks(gpu, version, tmp_path):
    path = write_engine(tmp_path, build(version))
    with open_adapter(path, ModelSpec.load(spec_path(path))) as adapter:
        for _ in range(5):
            adapter.infer(*patches(2))
        name = "TensorRT-RTX" if version.startswith("rtx") else "TensorRT"
        assert adapter.description == f"{name} {version.removeprefix('rtx-')}, Fake GPU"
        assert gpu.launches > 0


def test_no_other_engine_is_needed(gpu, engine, spec, monkeypatch):
    for name in ("onnx", "openvino", "torch"):
        monkeypatch.setitem(sys.modules, name, None)
    with open_adapter(engine, spec, "cuda", engine="tensorrt") as adapter:
        assert adapter.infer(*patches(1)).shape == (1, 1, PATCH, PATCH)


def test_patches_of_another_size(gpu, engine, spec):
    with TensorRtAdapter(engine, spec) as adapter:
        message = "got height 72, width 64; this engine accepts only patches of height 64, width 64"
        with pytest.raises(ImageError, match=message):
            adapter.infer(*patches(1, 72, 64))


def test_from_the_fourth_run_of_one_number_on_it_is_a_graph(gpu, engine, spec):
    image, roi = patches(6)
    expected = reference_output(engine, image, roi)
    with TensorRtAdapter(engine, spec) as adapter:
        before = gpu.launches
        for repeat in range(6):
            np.testing.assert_allclose(adapter.infer(image, roi), expected, atol=1e-5)
            assert gpu.launches - before == max(0, repeat - 2)
        assert gpu.graphs == 1
        # Another number of patches voids the graph; the result is right before and after.
        np.testing.assert_allclose(adapter.infer(image[:2], roi[:2]), expected[:2], atol=1e-5)
        assert gpu.graphs == 0
        np.testing.assert_allclose(adapter.infer(image, roi), expected, atol=1e-5)
        assert gpu.launches - before == 3


def test_an_engine_that_cannot_be_recorded_runs_without_a_graph(gpu, engine, spec):
    image, roi = patches(2)
    expected = reference_output(engine, image, roi)
    gpu.refuses_recording = 1
    before = gpu.launches
    with TensorRtAdapter(engine, spec) as adapter:
        for _ in range(6):
            np.testing.assert_allclose(adapter.infer(image, roi), expected, atol=1e-5)
    assert gpu.launches == before


def test_a_run_that_fails_while_recorded_leaves_the_stream_usable(gpu, engine, spec, behaviour):
    image, roi = patches(2)
    with TensorRtAdapter(engine, spec) as adapter:
        for _ in range(3):
            expected = adapter.infer(image, roi)
        behaviour.runs = False
        with pytest.raises(EngineError, match="TensorRT rejects the run: enqueue failed"):
            adapter.infer(image, roi)
        behaviour.runs = True
        np.testing.assert_array_equal(adapter.infer(image, roi), expected)


def test_the_hosts_own_context_stays_current(gpu, engine, spec):
    host = ctypes.c_int()  # any address will do for a context
    current = ctypes.c_void_p()
    gpu.calls.cuCtxPushCurrent_v2(ctypes.byref(host))
    try:
        adapter = TensorRtAdapter(engine, spec)
        adapter.infer(*patches(1))
        gpu.calls.cuCtxGetCurrent(ctypes.byref(current))
        assert current.value == ctypes.addressof(host)
        adapter.close()
        gpu.calls.cuCtxGetCurrent(ctypes.byref(current))
        assert current.value == ctypes.addressof(host)
    finally:
        gpu.calls.cuCtxPopCurrent_v2(ctypes.byref(current))
    assert current.value == ctypes.addressof(host)


def test_another_thread_may_close_it(gpu, engine, spec):
    adapter = TensorRtAdapter(engine, spec)
    adapter.infer(*patches(1))
    thread = threading.Thread(target=adapter.close)
    thread.start()
    thread.join()
    assert gpu.live() == {}


def test_an_adapter_that_is_dropped_frees_the_gpu(gpu, engine, spec):
    adapter = TensorRtAdapter(engine, spec)
    assert gpu.live() == {"primary_references": 1, "allocations": 3, "pinned": 3, "streams": 1}
    del adapter
    assert gpu.live() == {}


def test_buffers_are_made_once(gpu, engine, spec):
    with TensorRtAdapter(engine, spec) as adapter:
        before = gpu.live()
        for count in (1, 8, 20, 3):
            adapter.infer(*patches(count))
        assert gpu.live() == before


@pytest.mark.parametrize("allocations", [0, 1, 5])
def test_too_little_memory(gpu, engine, spec, allocations):
    gpu.allocations_left = allocations
    message = "the GPU has no memory for 8 patches of 64 x 64 .*: close other programs, or build"
    with pytest.raises(EngineError, match=message):
        TensorRtAdapter(engine, spec)
    assert gpu.live() == {}


def test_memory_for_one_lane_alone_serves_all_threads(gpu, engine, spec):
    gpu.allocations_left = 6
    image, roi = patches(2)
    with TensorRtAdapter(engine, spec) as adapter:
        expected = adapter.infer(image, roi)
        results = []
        threads = [
            threading.Thread(target=lambda: results.append(adapter.infer(image, roi))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(results) == 4
        assert all(np.array_equal(result, expected) for result in results)


def test_cuda_fails(gpu, engine, spec):
    with TensorRtAdapter(engine, spec) as adapter:
        gpu.synchronize_error = 700
        with pytest.raises(EngineError, match="CUDA failed: cuStreamSynchronize failed"):
            adapter.infer(*patches(1))
        gpu.synchronize_error = 0
        adapter.infer(*patches(1))


def test_tensorrt_refuses_a_shape(gpu, engine, spec, behaviour):
    with TensorRtAdapter(engine, spec) as adapter:
        behaviour.takes_shapes = False
        message = r"TensorRT rejects the shape \(1, 3, 64, 64\): image: shape out of profile"
        with pytest.raises(EngineError, match=message):
            adapter.infer(*patches(1))
        behaviour.takes_shapes = True
        adapter.infer(*patches(1))


def test_no_execution_context(gpu, engine, spec, behaviour):
    behaviour.gives_context = False
    with pytest.raises(EngineError, match="cannot make an execution context: no memory for activations"):
        TensorRtAdapter(engine, spec)


def test_tensorrt_loads_nothing(gpu, tmp_path):
    path = write_engine(tmp_path)
    path.write_bytes(b"no engine")
    spec = replace(ModelSpec.load(spec_path(path)), sha256=sha256_of(path))
    message = (
        r"TensorRT cannot load .*tiny\.engine: \[engine\.cpp\] Serialization assertion failed\. Magic tag"
        r"\. Build it here: retina-export tiny\.onnx --out \. --engine tensorrt --batch 1 4 8$"
    )
    with pytest.raises(EngineError, match=message):
        TensorRtAdapter(path, spec)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ("x", "y")}, "its tensors are x, y; a vessel model has image, roi and probability"),
        ({"dtype": "HALF"}, "its tensors are image, probability, roi; .* all float32"),
        ({"side": 32}, r"from \(1, 3, 32, 32\) to \(8, 3, 32, 32\); its spec says from \(1, 3, 64, 64\)"),
        (
            {"batch": (2, 4, 8)},
            r"from \(2, 3, 64, 64\) .* retina-export tiny\.onnx --out \. --engine tensorrt",
        ),
    ],
)
def test_an_engine_that_does_not_take_the_specs_patches(gpu, engine, spec, behaviour, changes, message):
    for name, value in changes.items():
        setattr(behaviour, name, value)
    with pytest.raises(ModelError, match=message):
        TensorRtAdapter(engine, spec)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": "10.16.1"}, r"it was built with TensorRT 10\.16\.1, but this is 10\.3\.0"),
        (
            {"compute_capability": "8.6"},
            "compute capability 8.6, but this is Fake GPU with compute capability 8.7",
        ),
        ({"gpu": "Orin"}, "it was built for Orin .*, but this is Fake GPU"),
        ({"system": "linux-riscv"}, "it was built on linux-riscv, but this is "),
    ],
)
def test_an_engine_of_another_device_is_not_loaded(gpu, tmp_path, changes, message, monkeypatch):
    monkeypatch.setattr(sys.modules["tensorrt"], "Runtime", None)
    path = write_engine(tmp_path, build(**changes))
    whole = rf"tiny\.engine cannot run here: .*{message}.* Build it here: retina-export tiny\.onnx --out"
    with pytest.raises(EngineError, match=whole):
        open_adapter(path, ModelSpec.load(spec_path(path)))


def test_without_a_driver_tensorrt_is_not_touched(gpu, engine, spec, monkeypatch):
    monkeypatch.setattr(cuda_driver, "LIBRARY", "libnosuchcuda.so.1")
    monkeypatch.setattr(sys.modules["tensorrt"], "Runtime", None)
    message = r"cannot run here: no NVIDIA driver \(libnosuchcuda\.so\.1 is not found\)"
    with pytest.raises(EngineError, match=message):
        TensorRtAdapter(engine, spec)


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_gpu_by_its_number(gpu, engine, spec, device):
    gpu.device_count = 2
    image, roi = patches(1)
    with open_adapter(engine, spec, device) as adapter:
        assert gpu.retained_device == (1 if device == "cuda:1" else 0)
        expected = reference_output(engine, image, roi)
        np.testing.assert_allclose(adapter.infer(image, roi), expected, atol=1e-5)


def test_a_gpu_that_is_not_there(gpu, engine, spec):
    with pytest.raises(
        EngineError, match="there is no cuda:1: the NVIDIA driver finds 1 GPU, numbered from 0"
    ):
        open_adapter(engine, spec, "cuda:1")


def test_without_a_gpu(gpu, engine, spec):
    gpu.device_count = 0
    with pytest.raises(EngineError, match="the NVIDIA driver finds no GPU: check nvidia-smi"):
        TensorRtAdapter(engine, spec)


@pytest.mark.parametrize("spec", [None, tiny_spec(sha256="0" * 64)], ids=["none", "of an ONNX file"])
def test_an_engine_without_its_spec(gpu, engine, spec):
    with pytest.raises(
        ModelError, match=r"an engine needs its spec, tiny\.engine\.json, beside it: copy both"
    ):
        open_adapter(engine, spec)


def test_the_stand_in_for_pycuda_has_no_name_that_pycuda_lacks(driver):
    api = json.loads((Path(__file__).parents[3] / "data" / "pycuda_api" / "2026.1.json").read_text())
    module = fake_pycuda(driver)
    assert public(vars(module)) <= set(api.pop("driver"))
    for kind, names in api.items():
        assert public(vars(getattr(module, kind))) <= set(names)


def public(names) -> set[str]:
    return {name for name in names if not name.startswith("_")}


def test_real_pycuda_over_the_fake_driver(tmp_path):
    """The same tests again, in a process whose libcuda.so.1 is the fake driver."""
    try:
        library = compile_driver_for_pycuda(tmp_path)
    except ImportError as error:
        pytest.skip(str(error))
    environment = os.environ | {"LD_LIBRARY_PATH": str(tmp_path), REAL_PYCUDA: str(library)}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    here = Path(__file__).parent
    files = [__file__, here / "test_lane.py", here.parent / "cuda" / "test_context.py"]
    options = ["-q", "-p", "no:cacheprovider", "-k", "not real"]
    command = [sys.executable, "-m", "pytest", *options, *files, here.parent / "cuda" / "test_graph.py"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def built_engine(tmp_path_factory) -> Path:
    """An engine of the tiny model, really built on this machine's GPU, with its spec and the ONNX file."""
    try:
        gpu, trt = find_gpu(), import_tensorrt("tensorrt")
    except EngineError as error:
        pytest.skip(str(error))
    from retinagan.export.tensorrt.builder import EnginePlan, build_engine

    folder = tmp_path_factory.mktemp("built")
    onnx = write_tiny_model(folder)
    path = folder / "tiny.engine"
    path.write_bytes(build_engine(trt, EnginePlan(onnx, "fp32", (1, 4, 8), PATCH)))
    changes = {"gpu": gpu.name, "compute_capability": gpu.compute_capability}
    spec = tiny_spec(file=path.name, engine=build(trt.__version__, **changes), sha256=sha256_of(path))
    spec.save(spec_path(path))
    return path


@pytest.mark.gpu
class TestTensorRtOnAGpu(AdapterContract):
    tolerance = 1e-4

    @pytest.fixture
    def model(self, built_engine, tmp_path) -> Path:
        return Path(shutil.copytree(built_engine.parent, tmp_path / "built")) / built_engine.name

    def open(self, model, spec):
        return TensorRtAdapter(model, spec)

    def reference(self, model, image, roi):
        return reference_output(model.with_suffix(".onnx"), image, roi)

    def test_a_spec_without_hash(self, model):
        spec = replace(ModelSpec.load(spec_path(model)), sha256="")
        with pytest.raises(ModelError, match="sha256: missing"):
            self.open(model, spec)

    def test_a_graph_gives_the_same(self, model):
        image, roi = patches(3)
        with self.open(model, ModelSpec.load(spec_path(model))) as adapter:
            first = adapter.infer(image, roi)
            for _ in range(5):
                np.testing.assert_array_equal(adapter.infer(image, roi), first)
