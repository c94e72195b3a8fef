import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_tensorrt_build import ENGINE, Script, fake_tensorrt
from tiny_export import write_tiny_export
from tiny_model import PATCH, tiny_spec

from retinagan.export.options import MEANT_FOR
from retinagan.export.progress import StepLog
from retinagan.export.proof.agreement import ParityError
from retinagan.export.tensorrt import export as engine_export
from retinagan.export.tensorrt.export import EngineOptions, engine_fits, export_engine
from retinagan.runtime.engines import EngineAdapter, OnnxRuntimeAdapter
from retinagan.runtime.engines.cuda.driver import Gpu
from retinagan.runtime.errors import EngineError, ModelError, OptionError
from retinagan.runtime.model.parameters import EngineBuild, Tiling
from retinagan.runtime.model.spec import ModelSpec, spec_path

ORIN = Gpu("Orin (nvgpu)", "8.7", 8 << 30, "12.6")


class Shifted(EngineAdapter):
    """The model itself, under an engine's name, with something added to its probability."""

    def __init__(self, source: Path, spec: ModelSpec, shift: float) -> None:
        self._inner = OnnxRuntimeAdapter(source, ModelSpec.load(spec_path(source)))
        self._shift = np.float32(shift)
        super().__init__(spec, "TensorRT 10.3.0, Orin (nvgpu)")

    def _run(self, image, roi, out):
        np.copyto(out, self._inner.infer(image, roi) + self._shift)

    def _close(self):
        self._inner.close()


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """An ONNX file with its spec and proof pack; no test changes it."""
    return write_tiny_export(tmp_path_factory.mktemp("exported"))


class Device:
    """A Jetson, as far as the export can see."""

    def __init__(self, source: Path, monkeypatch) -> None:
        self.script = Script()
        self.shift = 0.0
        self.opened: list[ModelSpec] = []
        self.source = source
        monkeypatch.setitem(sys.modules, "tensorrt", fake_tensorrt("10.3.0", self.script))
        monkeypatch.setattr(engine_export, "find_gpu", lambda: ORIN)
        monkeypatch.setattr(engine_export, "open_adapter", self.open)

    def open(self, path: Path, spec: ModelSpec) -> EngineAdapter:
        assert path.read_bytes() == ENGINE
        self.opened.append(spec)
        return Shifted(self.source, spec, self.shift)


@pytest.fixture
def device(source, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Device(source, monkeypatch)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_an_engine_with_its_spec_and_proof(device, source, tmp_path, capsys):
    out = tmp_path / "deep" / "out"
    path = export_engine(source, out, EngineOptions(batch=(1, 2, 3)), StepLog())
    assert path == out / "tiny.engine"
    assert path.read_bytes() == ENGINE
    assert files(out) == ["tiny.engine", "tiny.engine.json"]
    spec, before = ModelSpec.load(spec_path(path)), ModelSpec.load(spec_path(source))
    assert spec.engine == replace(
        device.opened[0].engine, builder="tensorrt", version="10.3.0", gpu=ORIN.name, compute_capability="8.7"
    )
    assert (spec.engine.batch, spec.engine.source) == ((1, 2, 3), "tiny.onnx")
    kept = ("name", "precision", "threshold", "preprocessing", "network_input", "tiling", "training")
    assert all(getattr(spec, name) == getattr(before, name) for name in kept)
    assert (spec.file, len(spec.sha256)) == ("tiny.engine", 64)
    proof = spec.proof["proof_pack"]
    assert proof["images"] == 2
    assert proof["max_abs_difference"] < 1e-5  # the pack keeps 16 bits
    assert proof["map_dice"] == 1.0
    assert spec.proof["candidate"] == "TensorRT 10.3.0, Orin (nvgpu)"
    shown = capsys.readouterr().out
    assert "find GPU ... Orin (nvgpu), compute capability 8.7" in shown
    assert "build by tensorrt 10.3.0 ... 0.00 MB" in shown
    assert "compare with FP32 ... probability within" in shown


def test_what_is_built_is_what_the_spec_says(device, source, tmp_path):
    export_engine(source, tmp_path, EngineOptions(), StepLog())
    assert device.script.parsed == str(source)
    least, usual, most = device.script.shapes["image"]
    assert least == (1, 3, PATCH, PATCH)
    assert usual == most == (4, 3, PATCH, PATCH)  # an image has four


@pytest.mark.parametrize(("patch", "most"), [(512, 1), (256, 4), (128, 16), (64, 64)])
def test_the_batch_of_one_image_bounded_by_what_the_runtime_gives_at_once(patch, most):
    preprocessing = replace(tiny_spec().preprocessing, working_size=512)
    spec = tiny_spec(preprocessing=preprocessing, tiling=Tiling(patch))
    assert engine_export.default_batch(spec) == (1, most, most)
    overlapping = replace(spec, tiling=Tiling(patch, 0.5))
    assert engine_export.default_batch(overlapping) == (1, most, most)


def test_the_times_are_kept_by_device_and_version(device, source, tmp_path):
    for folder in (None, tmp_path / "mine"):
        export_engine(source, tmp_path / "out", EngineOptions(timing_cache=folder), StepLog())
        (found,) = (folder or tmp_path / "cache" / "retinagan").iterdir()
        assert found.name.startswith("tensorrt-10.3.0-Orin_nvgpu_-8.7-")
        assert found.read_bytes() == b"times"


@pytest.mark.parametrize(
    ("precision", "shift", "message"),
    [
        ("fp32", 1e-3, r"differ by up to 0\.001; the limit is 0\.0001.* Nothing was written; try another"),
        ("fp32", np.nan, "returns NaN or infinity"),
        ("int8", 0.4, r"vessel map with FP32's is 0\.\d+; the limit .* --accept-drop"),
    ],
)
def test_an_engine_that_misses_its_bounds_is_not_written(source, device, precision, shift, message, tmp_path):
    source = lone_copy(source, tmp_path, precision=precision)
    device.shift = shift
    with pytest.raises(ParityError, match=message):
        export_engine(source, tmp_path / "out", EngineOptions(), StepLog())
    assert files(tmp_path / "out") == []


def test_a_drop_may_be_accepted_but_not_of_fp32(source, device, tmp_path):
    device.shift = 0.4
    options = EngineOptions(accept_drop=True)
    path = export_engine(lone_copy(source, tmp_path, precision="int8"), tmp_path / "out", options, StepLog())
    (accepted,) = ModelSpec.load(spec_path(path)).proof["accepted"]
    assert accepted.startswith("Dice of its vessel map with FP32's is")
    with pytest.raises(ParityError):
        export_engine(device.source, tmp_path / "out", options, StepLog())


def lone_copy(source: Path, folder: Path, **changes) -> Path:
    """Copy the model and its pack, with other values in its spec."""
    target = folder / "copy"
    target.mkdir()
    for path in (*source.parent.glob("tiny.onnx*"), *source.parent.glob("tiny-proof/*")):
        copied = target / path.relative_to(source.parent)
        copied.parent.mkdir(exist_ok=True)
        copied.write_bytes(path.read_bytes())
    beside = spec_path(target / "tiny.onnx")
    replace(ModelSpec.load(beside), **changes).save(beside)
    return target / "tiny.onnx"


def test_a_failed_build_leaves_an_earlier_engine_as_it_was(device, source, tmp_path):
    export_engine(source, tmp_path / "out", EngineOptions(), StepLog())
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    device.shift = 1.0
    with pytest.raises(ParityError):
        export_engine(source, tmp_path / "out", EngineOptions(), StepLog())
    device.script.engine = None
    with pytest.raises(EngineError, match=r"cannot build an engine from tiny\.onnx: it gave no reason"):
        export_engine(source, tmp_path / "out", EngineOptions(), StepLog())
    device.script.raises = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        export_engine(source, tmp_path / "out", EngineOptions(), StepLog())
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_pack_that_is_missing_or_changed_is_found_before_the_build(source, device, tmp_path):
    source = lone_copy(source, tmp_path)
    image = next((source.parent / "tiny-proof").glob("*_image.png"))
    image.write_bytes(image.read_bytes()[:-1])
    with pytest.raises(ModelError, match="not a complete proof pack"):
        export_engine(source, tmp_path / "out", EngineOptions(), StepLog())
    (source.parent / "tiny-proof" / "proof.json").unlink()
    with pytest.raises(ModelError, match="no proof pack there; copy the folder tiny-proof from where"):
        export_engine(source, tmp_path / "out", EngineOptions(), StepLog())
    assert device.script.parsed is None
    assert not (tmp_path / "out").exists()


def test_a_model_that_cannot_be_built_from(source, device, tmp_path):
    source = lone_copy(source, tmp_path)

    def refused(message, path=source, **options):
        with pytest.raises(OptionError if options else ModelError, match=message):
            export_engine(path, tmp_path / "out", EngineOptions(**options), StepLog())

    refused(r"gone\.onnx: no such file; expected an ONNX file", tmp_path / "gone.onnx")
    refused(r"--patch: got 32; tiny\.onnx and its proof are of patches of 64: .* with --patch 32", patch=32)
    build = EngineBuild("tensorrt", "10.3.0", "Orin", "8.7", "linux-aarch64", (1, 1, 1), "other.onnx")
    spec = ModelSpec.load(spec_path(source))
    replace(spec, engine=build).save(spec_path(source))
    refused(r"this is an engine already; give the ONNX file other\.onnx")
    replace(spec, proof={"meant_for": MEANT_FOR["int8-onnxruntime"]}).save(spec_path(source))
    refused("INT8 for ONNX Runtime on a CPU, which TensorRT cannot read; give .* --precision int8")
    spec.save(spec_path(source))
    source.write_bytes(source.read_bytes() + b"\0")
    refused("SHA-256 is")
    spec_path(source).unlink()
    refused(r"tiny\.onnx\.json is not beside it; copy both")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("batch", [(1, 3, 2), (2, 3, 4), (0, 1, 1)])
def test_batches_that_make_no_sense(batch):
    with pytest.raises(
        OptionError, match=rf"--batch: got {' '.join(map(str, batch))}; expected the smallest"
    ):
        EngineOptions(batch=batch)


def test_an_unknown_engine():
    with pytest.raises(OptionError, match='--engine: got "trt"; expected one of tensorrt, tensorrt-rtx'):
        EngineOptions(engine="trt")


def test_a_folder_that_cannot_be_written_to_is_found_before_the_build(device, source, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        export_engine(source, tmp_path / "file" / "out", EngineOptions(), StepLog())
    assert device.script.parsed is None


def test_no_gpu(source, monkeypatch, tmp_path):
    def missing():
        raise EngineError("no NVIDIA driver (libcuda.so.1 is not found): install one")

    monkeypatch.setattr(engine_export, "find_gpu", missing)
    with pytest.raises(
        EngineError, match=r"TensorRT builds an engine on the device that will run it: no NVIDIA driver"
    ):
        export_engine(source, tmp_path / "out", EngineOptions(), StepLog())
    assert not (tmp_path / "out").exists()


def test_no_tensorrt(device, source, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(EngineError, match=r"TensorRT cannot be imported \(.*--system-site-packages"):
        export_engine(source, tmp_path / "out", EngineOptions(), StepLog())


def test_an_onnx_file_fits_every_device(source):
    assert engine_fits(ModelSpec.load(spec_path(source))) == []


def test_an_engine_of_elsewhere_names_the_command_that_builds_it_here():
    build = EngineBuild("tensorrt", "1.2.3", "Orin", "8.7", "linux-riscv", (1, 2, 4), "tiny.onnx")
    *reasons, command = engine_fits(tiny_spec(engine=build))
    assert any("linux-riscv" in reason for reason in reasons)
    assert command == ("rebuild it with:  retina-export tiny.onnx --out . --engine tensorrt --batch 1 2 4")


def test_the_way_to_an_engine_imports_no_torch_and_no_onnx(source, tmp_path):
    code = f"""
import sys
for name in ("torch", "onnx", "onnxruntime", "onnxscript", "sklearn", "openvino"):
    sys.modules[name] = None
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from fake_tensorrt_build import fake_tensorrt
sys.modules["tensorrt_rtx"] = fake_tensorrt("rtx-1.7.1")
from retinagan.export.tensorrt.export import EngineOptions, export_engine
from retinagan.export.tensorrt import export as engine_export
from retinagan.runtime.engines import EngineAdapter
from retinagan.runtime.engines.cuda.driver import Gpu

class Half(EngineAdapter):
    def __init__(self, path, spec):
        super().__init__(spec, "half")
    def _run(self, image, roi, out):
        out[...] = 0.5
    def _close(self):
        pass

engine_export.find_gpu = lambda: Gpu("RTX", "8.9", 1, "13.0")
engine_export.open_adapter = Half
from retinagan.export.options import MEANT_FOR
from retinagan.export.progress import StepLog
from retinagan.export.proof.agreement import ParityError
try:
    export_engine({str(source)!r}, {str(tmp_path)!r}, EngineOptions("tensorrt-rtx"), StepLog())
except ParityError as error:
    print(error)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stderr == ""
    assert "the engine's maps differ too much from FP32's" in ended.stdout
