import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from adapter_contract import AdapterContract, patches
from tiny_model import reference_output, tiny_spec, write_tiny_model

from retinagan.runtime.engines import OpenVinoAdapter
from retinagan.runtime.engines import openvino as module
from retinagan.runtime.engines.pool import Pool
from retinagan.runtime.errors import EngineError, ModelError, OptionError
from retinagan.runtime.model.parameters import Preprocessing, Tiling
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.model.verification import UnverifiedModelWarning, sha256_of

openvino = pytest.importorskip("openvino", reason='needs OpenVINO: pip install "retinagan[openvino]"')


class TestOpenVino(AdapterContract):
    def open(self, model, spec):
        return OpenVinoAdapter(model, spec, threads=1)


def has_bf16() -> bool:
    return "BF16" in module.shared_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def test_it_says_what_runs(model, spec):
    with OpenVinoAdapter(model, spec) as adapter:
        assert adapter.description == f"OpenVINO {openvino.__version__.split('-')[0]}, CPU, FP32"


def test_it_computes_in_fp32_where_its_own_default_would_not(model, spec):
    image, roi = patches(2)
    with OpenVinoAdapter(model, spec, 1) as adapter:
        error = np.abs(adapter.infer(image, roi) - reference_output(model, image, roi)).max()
    assert error < 1e-5


@pytest.mark.parametrize("asked", [{"precision": "bf16"}, {"spec": "bf16"}], ids=["by name", "by spec"])
def test_bf16_where_it_is_asked_for(model, spec, asked):
    if not has_bf16():
        pytest.skip("this CPU does not support BF16")
    spec = replace(spec, precision=asked.get("spec", "fp32"))
    image, roi = patches(2)
    with OpenVinoAdapter(model, spec, 1, precision=asked.get("precision")) as adapter:
        error = np.abs(adapter.infer(image, roi) - reference_output(model, image, roi)).max()
        assert adapter.description.endswith(", CPU, BF16")
    assert 1e-4 < error < 0.05


def test_bf16_where_the_cpu_has_none(model, spec):
    class Core:
        def get_property(self, device, name):
            return {"OPTIMIZATION_CAPABILITIES": ["FP32", "INT8"]}[name]

    message = r"this CPU does not support BF16 \(OpenVINO finds FP32, INT8\): use the FP32 model"
    with pytest.raises(EngineError, match=message):
        module._check_precision(Core(), "bf16")


def test_ctrl_c_after_adapters_that_were_closed_in_turn(model):
    code = (
        "import gc, os, signal, sys\n"
        "from retinagan.runtime.engines import OpenVinoAdapter\n"
        "from retinagan.runtime.model.spec import ModelSpec, spec_path\n"
        "path = sys.argv[1]\n"
        "adapters = [OpenVinoAdapter(path, ModelSpec.load(spec_path(path)), 1) for _ in range(2)]\n"
        "while adapters:\n"
        "    adapters.pop(0).close()\n"
        "    gc.collect()\n"
        "signal.signal(signal.SIGINT, lambda *_: print('handled'))\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(model)], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "handled\n"), ended.stderr


def test_an_unknown_precision(model, spec):
    with pytest.raises(OptionError, match='precision: got \'fp8\'; expected "fp32" or "bf16"'):
        OpenVinoAdapter(model, spec, precision="fp8")


def test_a_wrong_number_of_threads(model, spec):
    with pytest.raises(OptionError, match="threads: got 0; expected a whole number from 1"):
        OpenVinoAdapter(model, spec, 0)


def test_a_lone_file_runs_by_its_own_spec_with_one_warning(model):
    spec_path(model).unlink()
    with pytest.warns(UnverifiedModelWarning, match=r"tiny\.onnx is not verified"):
        adapter = OpenVinoAdapter(model, None, 1)
    assert adapter.spec == replace(tiny_spec(), sha256=sha256_of(model))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "its inputs are none; a vessel model has image and roi"),
        (b"not a model", "not an ONNX model that OpenVINO can load"),
        (None, "not an ONNX model that OpenVINO can load"),
    ],
    ids=["empty", "text", "truncated"],
)
def test_a_broken_file_is_one_line_and_quiet(model, content, message, capfd):
    model.write_bytes(model.read_bytes()[:-100] if content is None else content)
    spec = replace(tiny_spec(), sha256=sha256_of(model))
    with pytest.raises(ModelError, match=rf"tiny\.onnx: {message}") as raised:
        OpenVinoAdapter(model, spec)
    assert "\n" not in str(raised.value)
    assert capfd.readouterr() == ("", "")


def test_a_failing_run(model, spec, monkeypatch):
    with OpenVinoAdapter(model, spec, 1) as adapter:

        class Request:
            def infer(self, inputs, share_inputs):
                raise RuntimeError("Exception from infer_request.cpp:\nno memory")

        with monkeypatch.context() as patch:
            patch.setattr(Pool, "_take", lambda pool: Request())
            with pytest.raises(
                EngineError, match=r"OpenVINO .* failed on \(1, 3, 64, 64\): Exception .* no mem"
            ):
                adapter.infer(*patches(1))


def test_one_patch_for_the_whole_square_and_patches_of_other_sizes(model, spec):
    """Compiled for the one shape, it gives the same, and takes others all the same."""
    side = spec.preprocessing.working_size
    whole = replace(spec, tiling=replace(spec.tiling, patch=side, overlap=0.0))
    shapes = [(1, side), (2, side), (3, side // 2), (1, side)]
    with OpenVinoAdapter(model, whole, 1) as one, OpenVinoAdapter(model, spec, 1) as any_size:
        assert one.description == any_size.description
        for count, height in shapes:
            given = patches(count, height, height)
            np.testing.assert_allclose(one.infer(*given), any_size.infer(*given), atol=1e-5)


def test_a_model_that_does_not_take_the_square_is_one_line(model, spec, monkeypatch):
    def refuse(*arguments):
        raise RuntimeError("Check failed:\nshape inference")

    monkeypatch.setattr(openvino.Model, "reshape", refuse)
    side = spec.preprocessing.working_size
    whole = replace(spec, tiling=replace(spec.tiling, patch=side, overlap=0.0))
    with pytest.raises(
        ModelError, match=f"does not take images of {side}x{side} pixels: Check failed"
    ) as raised:
        OpenVinoAdapter(model, whole)
    assert "\n" not in str(raised.value)


def test_no_openvino(model, spec, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    message = r'OpenVINO cannot be imported .*pip install "retinagan\[openvino\]"'
    with pytest.raises(EngineError, match=message):
        OpenVinoAdapter(model, spec)


def test_a_cpu_for_which_it_does_not_compile(model, spec, monkeypatch):
    def refuse(*arguments):
        raise RuntimeError("no kernel")

    monkeypatch.setattr(openvino.Core, "compile_model", refuse)
    with pytest.raises(EngineError, match="OpenVINO cannot compile the model for this CPU: no kernel"):
        OpenVinoAdapter(model, spec)


def test_squares_of_several_cameras_give_what_any_other_engine_gives(tmp_path):
    preprocessing = Preprocessing("none", 5.0, pixels_per_degree=2.0)
    model = write_tiny_model(tmp_path, tiny_spec(preprocessing=preprocessing, tiling=Tiling(None)))
    with OpenVinoAdapter(model, ModelSpec.load(spec_path(model)), 1) as adapter:
        for side in (96, 64, 128, 96, 160, 64, 160):
            image, roi = patches(1, side, side)
            np.testing.assert_allclose(
                adapter.infer(image, roi), reference_output(model, image, roi), atol=1e-5
            )


GROWTH = """
import sys
from pathlib import Path

from adapter_contract import patches

from retinagan.runtime.engines import OpenVinoAdapter
from retinagan.runtime.model.spec import ModelSpec, spec_path


def resident_mib():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


model = Path(sys.argv[1])
with OpenVinoAdapter(model, ModelSpec.load(spec_path(model)), 1) as adapter:
    for number in range(96):
        if number == 32:  # OpenVINO keeps something small for each size that it has seen
            before = resident_mib()
        side = 32 * (1 + number % 16)
        adapter.infer(*patches(1, side, side))
    print(resident_mib() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads resident memory from /proc")
def test_memory_stays_flat_over_a_folder_of_mixed_cameras(tmp_path):
    """In a process of its own: what earlier tests freed and left would be counted in."""
    preprocessing = Preprocessing("none", 5.0, pixels_per_degree=6.4)
    spec = tiny_spec(preprocessing=preprocessing, tiling=Tiling(None))
    assert spec.usual_patch == 288
    model = write_tiny_model(tmp_path, spec, width=32)
    command = [sys.executable, "-c", GROWTH, str(model)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert float(printed) < 16


def test_openvino_reports_nothing_over_the_network(tmp_path):
    model = write_tiny_model(tmp_path)
    code = (
        "import sys; from retinagan.runtime import Segmenter\n"
        "Segmenter(sys.argv[1], engine='openvino').close()\n"
        "loaded = [name for name in sys.modules if name.partition('.')[0] == 'openvino_telemetry']\n"
        "print('openvino' in sys.modules, loaded)\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code, str(model)], capture_output=True, text=True, check=False
    )
    assert (finished.stdout, finished.stderr) == ("True []\n", "")
