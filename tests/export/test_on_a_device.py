"""The way of a model on a device, by the commands themselves, on a fake GPU with a fake TensorRT.

All between the two is real: the driver's probe, the build, the runtime's adapter, the proof, the outputs.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_retina import drawn_retina
from fake_gpu import FakeDriver, compile_driver, fake_pycuda
from fake_tensorrt import Behaviour, fake_tensorrt
from fake_tensorrt_build import VERSIONS, Script, add_builder
from tiny_export import write_tiny_export

from retinagan.export.cli import main as retina_export
from retinagan.runtime import Segmenter
from retinagan.runtime.batch.cli import main as retina_run
from retinagan.runtime.engines.cuda import driver as cuda_driver
from retinagan.runtime.model.spec import ModelSpec, spec_path


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    return compile_driver(tmp_path_factory.mktemp("driver"))


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """An ONNX file with its spec and proof pack; no test changes it."""
    return write_tiny_export(tmp_path_factory.mktemp("exported"))


@pytest.fixture
def device(library, source, monkeypatch, tmp_path):
    """Gives a function that puts a version of TensorRT on the device; its engines hold the ONNX file."""
    driver = FakeDriver(library)
    monkeypatch.setattr(cuda_driver, "LIBRARY", str(library))
    monkeypatch.setitem(sys.modules, "pycuda.driver", fake_pycuda(driver))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def install(version: str) -> None:
        module = fake_tensorrt(driver, version, Behaviour(batch=(1, 2, 4)))
        add_builder(module, version, Script(engine=source.read_bytes()))
        monkeypatch.setitem(sys.modules, module.__name__, module)

    yield install
    assert driver.context_depth() == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_build_check_run(device, source, version, tmp_path, capsys):
    device(version)
    engine = "tensorrt-rtx" if version.startswith("rtx") else "tensorrt"
    out = tmp_path / "device"
    arguments = [str(source), "--out", str(out), "--engine", engine, "--batch", "1", "2", "4"]
    assert retina_export(arguments) == 0
    path = out / ("tiny.rtx.engine" if engine == "tensorrt-rtx" else "tiny.engine")
    assert "compare with FP32 ... probability within" in capsys.readouterr().out
    assert ModelSpec.load(spec_path(path)).proof["proof_pack"]["map_dice"] == 1.0

    assert retina_export(["--check", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "kept" in shown
    assert "fits" in shown

    image, _ = drawn_retina()
    with Segmenter(path) as on_device, Segmenter(source, device="cpu") as on_cpu:
        found, expected = on_device(image), on_cpu(image)
    np.testing.assert_allclose(found.probability, expected.probability, atol=1e-6)

    photo, maps = tmp_path / "photo.png", tmp_path / "maps"
    cv2.imwrite(str(photo), image[..., ::-1])
    assert retina_run([str(photo), "--out", str(maps), "--model", str(path), "--quiet"]) == 0
    assert any(maps.rglob("*.png"))


def test_after_an_update_the_engine_is_built_again_by_the_command_given(
    device, source, tmp_path, capsys, monkeypatch
):
    device("10.3.0")
    monkeypatch.chdir(source.parent)
    assert (
        retina_export(["tiny.onnx", "--out", str(tmp_path), "--engine", "tensorrt", "--batch", "1", "2", "4"])
        == 0
    )
    path = tmp_path / "tiny.engine"
    device("10.16.1")
    capsys.readouterr()
    assert retina_export(["--check", str(path)]) == 1
    shown = capsys.readouterr().out
    assert "it was built with TensorRT 10.3.0, but this is 10.16.1" in shown
    command = shown.partition("retina-export ")[2].splitlines()[0].split()
    command[command.index("--out") + 1] = str(tmp_path)
    assert retina_export(command) == 0
    assert retina_export(["--check", str(path)]) == 0
