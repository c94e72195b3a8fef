"""Real parsing and building: TensorRT-RTX does both without a GPU, by the interface of TensorRT 11."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tiny_model import PATCH, tiny_graph, tiny_spec, write_tiny_model

from retinagan.export.graph.half import to_half
from retinagan.export.graph.quantize import ONNX_RUNTIME, PORTABLE, quantize
from retinagan.export.progress import StepLog
from retinagan.export.tensorrt import export as engine_export
from retinagan.export.tensorrt.builder import EnginePlan, build_engine
from retinagan.export.tensorrt.export import EngineOptions, engine_fits, export_engine
from retinagan.runtime.errors import EngineError, ModelError
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.model.verification import sha256_of

trt = pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed: pip install tensorrt-rtx")

BATCH = (1, 2, 4)


def saved(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "model.onnx"
    onnx.save(model, path)
    return path


def build(path: Path, precision: str = "fp32", batch=BATCH, patch: int = PATCH, progress=None) -> bytes:
    return build_engine(trt, EnginePlan(path, precision, batch, patch), progress)


@pytest.fixture
def no_gpu(monkeypatch):
    """Hide the machine's GPU, if it has one: an engine is then written without a proof."""

    def missing():
        raise EngineError("no NVIDIA driver: hidden by a test")

    monkeypatch.setattr(engine_export, "find_gpu", missing)


@pytest.fixture(scope="module")
def ranges():
    """Calibrated ranges that hold for every activation of the tiny graph."""
    graph = tiny_graph().graph
    return {name: (-8.0, 8.0) for node in graph.node for name in (*node.input, *node.output)}


def test_fp32_with_progress_to_the_end(tmp_path):
    told = []
    engine = build(saved(tiny_graph(), tmp_path), progress=lambda share, phase: told.append((share, phase)))
    assert engine[:8].strip(b"\0")
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert 0.0 < shares[0] < 0.5 < shares[-1] <= 1.0
    assert "Building engine" in {phase for _, phase in told}


def test_fp16(tmp_path):
    assert build(saved(to_half(tiny_graph()), tmp_path), "fp16")


def test_the_portable_int8(tmp_path, ranges):
    assert build(saved(quantize(tiny_graph(), ranges, PORTABLE), tmp_path), "int8")


def test_the_exported_generator(model, generator, tmp_path):
    assert build(saved(model, tmp_path), patch=8 * generator.config.divisor)


def test_the_int8_for_onnx_runtime_is_refused(tmp_path, ranges):
    path = saved(quantize(tiny_graph(), ranges, ONNX_RUNTIME), tmp_path)
    with pytest.raises(ModelError, match=r"Non-zero zero point .*\[operator QuantizeLinear, .*; build from"):
        build(path, "int8")


def test_onnx_runtimes_default_int8_is_refused(tmp_path):
    quantization = pytest.importorskip("onnxruntime.quantization")

    class OnePatch(quantization.CalibrationDataReader):
        def __init__(self):
            shape = (1, 3, PATCH, PATCH)
            image = np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)
            self.rest = iter([{"image": image, "roi": np.ones((1, 1, PATCH, PATCH), np.float32)}])

        def get_next(self):
            return next(self.rest, None)

    quantized = tmp_path / "int8.onnx"
    quantization.quantize_static(saved(tiny_graph(), tmp_path), quantized, OnePatch())
    with pytest.raises(ModelError, match=r"has type Int32 .*\[operator DequantizeLinear, .*; build from"):
        build(quantized, "int8")


def test_an_unknown_operator(tmp_path):
    model = tiny_graph()
    next(node for node in model.graph.node if node.op_type == "Sigmoid").op_type = "Wobble"
    with pytest.raises(ModelError, match=r"cannot read .*model\.onnx: .*Plugin not found.*\[operator Wobble"):
        build(saved(model, tmp_path))


def test_an_input_without_a_profile(tmp_path):
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3, "height", "width"])
        for name in ("picture", "probability")
    ]
    node = helper.make_node("Sigmoid", ["picture"], ["probability"])
    graph = helper.make_graph([node], "other", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(EngineError, match=r"cannot build an engine from model\.onnx: .*profile"):
        build(saved(model, tmp_path))


def test_batches_in_the_wrong_order(tmp_path):
    with pytest.raises(ModelError, match=r"does not accept patches of 64 x 64 in batches of 4 to 2 to 1"):
        build(saved(tiny_graph(), tmp_path), batch=(4, 2, 1))


def test_a_side_that_the_pooling_does_not_divide(tmp_path):
    with pytest.raises(EngineError, match=r"cannot build an engine .*dimensions must be equal.* 65 and 64"):
        build(saved(tiny_graph(), tmp_path), patch=65)


@pytest.mark.parametrize("kept", [0, 100, 0.5, -1])
def test_a_truncated_file(tmp_path, kept):
    path = saved(tiny_graph(), tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept) if isinstance(kept, float) else kept])
    with pytest.raises((ModelError, EngineError), match=r"cannot (read|build an engine from) .*model\.onnx"):
        build(path)


@pytest.mark.parametrize("location", ["missing.bin", "../outside.bin", "/absolute"])
def test_weights_in_a_file_that_is_missing_or_elsewhere(tmp_path, location):
    folder = tmp_path / "model"
    folder.mkdir()
    model = tiny_graph()
    weights = model.graph.initializer[0]
    (tmp_path / "outside.bin").write_bytes(weights.raw_data)
    if location == "/absolute":
        location = str(tmp_path / "outside.bin")
    weights.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(len(weights.raw_data)))):
        weights.external_data.add(key=key, value=value)
    weights.ClearField("raw_data")
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=r"cannot read .*model\.onnx: Failed to import initializer"):
        build(path)


def test_ctrl_c_ends_the_build(tmp_path):
    # In a process of its own: the signal goes to whoever runs the tests.
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "import tensorrt_rtx\n"
        "from retinagan.export.tensorrt.builder import EnginePlan, build_engine\n"
        "plan = EnginePlan(Path(sys.argv[1]), 'fp32', (1, 2, 4), 64)\n"
        "shares = []\n"
        "def progress(share, phase):\n"
        "    shares.append(share)\n"
        "    if len(shares) == 1:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "try:\n"
        "    build_engine(tensorrt_rtx, plan, progress)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', shares[-1] < 0.5)\n"
    )
    path = saved(tiny_graph(), tmp_path)
    ended = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "interrupted True\n", "")


def test_an_engine_for_every_rtx_gpu_from_an_onnx_file(no_gpu, tmp_path, capsys):
    source = write_tiny_model(tmp_path)
    path = export_engine(source, tmp_path / "out", EngineOptions("tensorrt-rtx", BATCH), StepLog())
    spec = ModelSpec.load(spec_path(path))
    assert path.name == "tiny.rtx.engine"
    assert path.stat().st_size > 0
    assert spec.sha256 == sha256_of(path)
    assert (spec.engine.builder, spec.engine.version) == ("tensorrt_rtx", trt.__version__)
    assert (spec.engine.gpu, spec.engine.compute_capability) == ("any RTX GPU", "8.0")
    assert (spec.engine.batch, spec.engine.source) == (BATCH, "tiny.onnx")
    assert spec.proof == {}
    assert "compare with FP32 ... not compared (no NVIDIA driver)" in capsys.readouterr().out
    older = replace(spec, engine=replace(spec.engine, version="1.0.0"))
    reasons = engine_fits(older)
    assert f"it was built with TensorRT-RTX 1.0.0, but this is {trt.__version__}" in reasons
    assert "retina-export tiny.onnx --out . --engine tensorrt-rtx --batch 1 2 4" in reasons[-1]


def test_a_spec_that_does_not_fit_the_graph(no_gpu, tmp_path):
    side = {"tiling": replace(tiny_spec().tiling, patch=33)}
    divisor = {"network_input": replace(tiny_spec().network_input, divisor=1)}
    source = write_tiny_model(tmp_path, tiny_spec(**side, **divisor))
    with pytest.raises(EngineError, match="cannot build an engine from"):
        export_engine(source, tmp_path / "out", EngineOptions("tensorrt-rtx"), StepLog())
    assert list((tmp_path / "out").iterdir()) == []


def test_the_command_builds_without_torch_and_onnx(tmp_path):
    source = write_tiny_model(tmp_path)
    code = (
        "import sys\n"
        "for name in ('torch', 'onnx', 'onnxruntime', 'onnxscript', 'sklearn', 'openvino'):\n"
        "    sys.modules[name] = None\n"
        "from retinagan.export.tensorrt import export as engine_export\n"
        "from retinagan.export.cli import main\n"
        "from retinagan.runtime.errors import EngineError\n"
        "def missing():\n"
        "    raise EngineError('no NVIDIA driver: hidden by a test')\n"
        "engine_export.find_gpu = missing\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    arguments = [
        str(source),
        "--out",
        str(tmp_path / "out"),
        "--engine",
        "tensorrt-rtx",
        "--batch",
        "1",
        "2",
        "4",
    ]
    ended = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"build by tensorrt-rtx {trt.__version__} ... " in ended.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "tiny.rtx.engine",
        "tiny.rtx.engine.json",
    ]
