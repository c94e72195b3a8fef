"""A TensorRT for tests: ONNX files as engines, and for each version only the names that it really has."""

import ctypes
import enum
import json
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
import onnxruntime
from fake_gpu import FakeDriver

API = Path(__file__).with_name("data") / "tensorrt_api"
VERSIONS = ("8.6.1", "10.3.0", "10.16.1", "11.4.0", "rtx-1.7.1")
"""The snapshots of TensorRT's interface."""

_HOST_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_INPUTS, _OUTPUT = ("image", "roi"), "probability"


@dataclass
class Behaviour:
    """What the fake engine does; tests change it."""

    batch: tuple[int, int, int] = (1, 4, 8)
    side: int = 64
    names: tuple[str, ...] = (*_INPUTS, _OUTPUT)
    dtype: str = "FLOAT"
    gives_context: bool = True
    runs: bool = True
    takes_shapes: bool = True
    destroyed_without_context: list[str] = field(default_factory=list)


def fake_tensorrt(driver: FakeDriver, version: str, behaviour: Behaviour) -> ModuleType:
    """Make the module `tensorrt` or `tensorrt_rtx` with the names in a version's snapshot."""
    api = json.loads((API / f"{version}.json").read_text())
    trt = ModuleType("tensorrt_rtx" if version.startswith("rtx") else "tensorrt")
    trt.__version__ = version.removeprefix("rtx-")

    class Held:
        """Has only the public names that the real class has in this version."""

        def __getattribute__(self, name: str):
            kind = type(self).__name__
            if not name.startswith("_") and name not in api[kind]:
                raise AttributeError(f"{kind} of TensorRT {version} has no {name}")
            return object.__getattribute__(self, name)

        def __del__(self) -> None:
            if not driver.context_depth():
                behaviour.destroyed_without_context.append(type(self).__name__)

    class ILogger:
        Severity = enum.Enum("Severity", "INTERNAL_ERROR ERROR WARNING INFO VERBOSE")
        INTERNAL_ERROR, ERROR, WARNING = Severity.INTERNAL_ERROR, Severity.ERROR, Severity.WARNING

    assert {name for name in vars(ILogger) if not name.startswith("_")} <= set(api["ILogger"])

    class Runtime(Held):
        def __init__(self, logger: ILogger) -> None:
            assert driver.context_depth(), "TensorRT needs a current context"
            self._logger = logger

        def deserialize_cuda_engine(self, content: bytes):
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 4
            options.intra_op_num_threads = 1
            try:
                session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
            except Exception:
                self._logger.log(ILogger.WARNING, "a warning")
                self._logger.log(ILogger.ERROR, "[engine.cpp] Serialization assertion failed.\nMagic tag")
                return None
            return ICudaEngine(session, self._logger)

    class ICudaEngine(Held):
        def __init__(self, session: onnxruntime.InferenceSession, logger: ILogger) -> None:
            self._session, self._logger = session, logger

        @property
        def num_io_tensors(self) -> int:
            return len(behaviour.names)

        def get_tensor_name(self, index: int) -> str:
            return behaviour.names[index]

        def get_tensor_mode(self, name: str):
            return trt.TensorIOMode.INPUT if name in _INPUTS else trt.TensorIOMode.OUTPUT

        def get_tensor_dtype(self, name: str):
            return trt.DataType[behaviour.dtype]

        def get_tensor_profile_shape(self, name: str, profile: int):
            assert profile == 0
            channels = {"image": 3, "roi": 1}[name]
            return [(count, channels, behaviour.side, behaviour.side) for count in behaviour.batch]

        def create_execution_context(self):
            if not behaviour.gives_context:
                self._logger.log(ILogger.INTERNAL_ERROR, "no memory for activations")
                return None
            return IExecutionContext(self)

    class IExecutionContext(Held):
        def __init__(self, engine: ICudaEngine) -> None:
            self._engine = engine
            self._addresses: dict[str, int] = {}
            self._shapes: dict[str, tuple[int, ...]] = {}
            self._callbacks = []

        def set_tensor_address(self, name: str, address: int) -> bool:
            assert type(address) is int
            self._addresses[name] = address
            return True

        def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
            if not (behaviour.takes_shapes and behaviour.batch[0] <= shape[0] <= behaviour.batch[2]):
                self._engine._logger.log(ILogger.ERROR, f"{name}: shape out of profile")
                return False
            self._shapes[name] = tuple(shape)
            return True

        def execute_async_v3(self, stream_handle: int) -> bool:
            if not behaviour.runs:
                self._engine._logger.log(ILogger.ERROR, "enqueue failed")
                return False
            addresses, shapes, session = dict(self._addresses), dict(self._shapes), self._engine._session

            def compute(_) -> None:
                inputs = {name: _array(addresses[name], shapes[name]) for name in _INPUTS}
                output = session.run([_OUTPUT], inputs)[0]
                _array(addresses[_OUTPUT], output.shape)[:] = output

            self._callbacks.append(_HOST_FUNCTION(compute))
            code = driver.calls.cuLaunchHostFunc(ctypes.c_void_p(stream_handle), self._callbacks[-1], None)
            return code == 0

    for kind in (ILogger, Runtime, ICudaEngine, IExecutionContext):
        setattr(trt, kind.__name__, kind)
    for name in ("TensorIOMode", "DataType"):
        setattr(trt, name, enum.Enum(name, [value for value in api[name] if value.isupper()]))
    return trt


def _array(address: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return memory of the fake GPU, which is the host's, as an array."""
    size = int(np.prod(shape))
    return np.ctypeslib.as_array((ctypes.c_float * size).from_address(address)).reshape(shape)
