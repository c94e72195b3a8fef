import sys
from dataclasses import replace
from types import ModuleType

import pytest

from retinagan.runtime.engines.cuda.driver import Gpu
from retinagan.runtime.engines.tensorrt import device as tensorrt_device
from retinagan.runtime.engines.tensorrt.device import (
    import_tensorrt,
    misfits,
    rebuild_command,
    this_system,
)
from retinagan.runtime.errors import EngineError
from retinagan.runtime.model.parameters import EngineBuild

ORIN = Gpu("Orin", "8.7", 8 << 30, "12.6")
BUILD = EngineBuild("tensorrt", "10.3.0", "Orin", "8.7", this_system(), (1, 4, 8), "tiny.onnx")
RTX = replace(BUILD, builder="tensorrt_rtx", version="1.7.1", gpu="any RTX GPU", compute_capability="8.0")


@pytest.fixture
def device(monkeypatch):
    """An Orin with TensorRT 10.3.0 and TensorRT-RTX 1.7.1; gives a function that changes one of them."""

    def change(gpu=ORIN, **versions):
        for builder, version in ({"tensorrt": "10.3.0", "tensorrt_rtx": "1.7.1"} | versions).items():
            module = ModuleType(builder)
            module.__version__ = version
            monkeypatch.setitem(sys.modules, builder, None if version is None else module)

        def find_gpu(index=0):
            if gpu is None:
                raise EngineError("no NVIDIA driver")
            return gpu

        monkeypatch.setattr(tensorrt_device, "find_gpu", find_gpu)

    change()
    return change


def test_an_engine_on_the_device_that_built_it(device):
    assert misfits(BUILD) == []
    assert misfits(RTX) == []


def test_another_version(device):
    device(tensorrt="10.16.2")
    assert misfits(BUILD) == ["it was built with TensorRT 10.3.0, but this is 10.16.2"]
    device(tensorrt_rtx="1.7.2")
    assert misfits(RTX) == ["it was built with TensorRT-RTX 1.7.1, but this is 1.7.2"]


@pytest.mark.parametrize("gpu", [replace(ORIN, name="Thor"), replace(ORIN, compute_capability="11.0")])
def test_another_gpu(device, gpu):
    device(gpu)
    assert misfits(BUILD) == [
        "it was built for Orin with compute capability 8.7, but "
        f"this is {gpu.name} with compute capability {gpu.compute_capability}"
    ]


def test_every_rtx_gpu_from_a_compute_capability_on(device):
    device(replace(ORIN, name="NVIDIA GeForce RTX 5090", compute_capability="12.0"))
    assert misfits(RTX) == []
    device(replace(ORIN, name="NVIDIA GeForce RTX 2080", compute_capability="7.5"))
    assert misfits(RTX) == [
        "it needs a GPU of compute capability 8.0 or newer, but "
        "this is NVIDIA GeForce RTX 2080 with compute capability 7.5"
    ]


def test_another_system(device):
    elsewhere = replace(BUILD, system="windows-amd64")
    assert misfits(elsewhere) == [f"it was built on windows-amd64, but this is {this_system()}"]
    assert misfits(replace(RTX, system="windows-amd64")) == []


def test_all_that_is_missing_is_named(device):
    device(gpu=None, tensorrt=None)
    missing, driver = misfits(BUILD)
    assert missing.startswith("TensorRT cannot be imported")
    assert driver == "no NVIDIA driver"


def test_the_line_that_builds_an_engine_again():
    assert rebuild_command(RTX) == ("retina-export tiny.onnx --out . --engine tensorrt-rtx --batch 1 4 8")


def test_modules_that_are_not_installed(device):
    device(tensorrt=None, tensorrt_rtx=None)
    with pytest.raises(
        EngineError, match=r'TensorRT cannot be imported .*--system-site-packages".*"retinagan\[tensorrt\]"'
    ):
        import_tensorrt("tensorrt")
    with pytest.raises(EngineError, match=r"TensorRT-RTX cannot be imported .*pip install tensorrt-rtx"):
        import_tensorrt("tensorrt_rtx")


def forget(monkeypatch):
    """Let the next import look for TensorRT anew, until the test ends."""
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.delitem(sys.modules, "tensorrt")


def test_a_folder_that_happens_to_have_the_name(tmp_path, monkeypatch):
    (tmp_path / "tensorrt").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    forget(monkeypatch)
    with pytest.raises(EngineError, match=r"cannot be imported \(a folder named tensorrt hides it\)"):
        import_tensorrt("tensorrt")


def test_a_library_that_does_not_load(tmp_path, monkeypatch):
    (tmp_path / "tensorrt.py").write_text("raise OSError('libnvinfer.so.10: cannot open\\nshared object')")
    monkeypatch.syspath_prepend(tmp_path)
    forget(monkeypatch)
    with pytest.raises(EngineError, match=r"imported \(libnvinfer\.so\.10: cannot open shared object\)"):
        import_tensorrt("tensorrt")


def test_a_version_that_is_too_old(device):
    device(tensorrt="8.5.3.1")
    with pytest.raises(EngineError, match=r"TensorRT 8\.5\.3\.1 is too old; expected 8\.6 or newer"):
        import_tensorrt("tensorrt")
    device(tensorrt="8.6.1")
    assert import_tensorrt("tensorrt").__version__ == "8.6.1"


def test_the_system_is_named_by_its_kernel_and_processor():
    system, _, machine = this_system().partition("-")
    assert system == sys.platform.removesuffix("32")
    assert machine
