"""The tiny model, and a GPU of the tests' own: the fake driver, pycuda's part over it, a fake TensorRT."""

import os
import sys
from pathlib import Path

import pytest
from fake_gpu import REAL_PYCUDA, FakeDriver, compile_driver, fake_pycuda
from fake_tensorrt import Behaviour, fake_tensorrt
from tiny_model import write_tiny_model

from retinagan.runtime.engines.cuda import driver as cuda_driver
from retinagan.runtime.model.spec import ModelSpec, spec_path

SWITCHES = ("device_count", "minor", "allocations_left", "refuses_recording", "synchronize_error")


@pytest.fixture
def model(tmp_path) -> Path:
    """The tiny model's ONNX file, with its spec beside it."""
    return write_tiny_model(tmp_path)


@pytest.fixture
def spec(model) -> ModelSpec:
    return ModelSpec.load(spec_path(model))


@pytest.fixture(scope="session")
def driver_library(tmp_path_factory) -> Path:
    if REAL_PYCUDA in os.environ:
        return Path(os.environ[REAL_PYCUDA])
    return compile_driver(tmp_path_factory.mktemp("driver"))


@pytest.fixture
def driver(driver_library, monkeypatch) -> FakeDriver:
    """The fake driver; at the end its switches are put back, and nothing may be left on it."""
    monkeypatch.setattr(cuda_driver, "LIBRARY", str(driver_library))
    driver = FakeDriver(driver_library)
    before = driver.live()
    switches = {name: getattr(driver, name) for name in SWITCHES}
    yield driver
    for name, value in switches.items():
        setattr(driver, name, value)
    assert driver.context_depth() == 0
    assert driver.live() == before


@pytest.fixture
def behaviour() -> Behaviour:
    return Behaviour()


@pytest.fixture
def version() -> str:
    return "10.3.0"


@pytest.fixture
def gpu(driver, behaviour, version, monkeypatch) -> FakeDriver:
    """The fake driver, with pycuda and TensorRT over it."""
    trt = fake_tensorrt(driver, version, behaviour)
    monkeypatch.setitem(sys.modules, trt.__name__, trt)
    if REAL_PYCUDA not in os.environ:
        monkeypatch.setitem(sys.modules, "pycuda.driver", fake_pycuda(driver))
    yield driver
    assert behaviour.destroyed_without_context == []
