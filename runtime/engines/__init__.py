"""Engines that run a model, all under one contract; none is imported before it is asked for."""

from retinagan.runtime.engines.base import EngineAdapter
from retinagan.runtime.engines.devices import DEVICES
from retinagan.runtime.engines.onnx_runtime import OnnxRuntimeAdapter
from retinagan.runtime.engines.opening import ENGINES, open_adapter
from retinagan.runtime.engines.openvino import OpenVinoAdapter
from retinagan.runtime.engines.tensorrt.engine import TensorRtAdapter

__all__ = [
    "DEVICES",
    "ENGINES",
    "EngineAdapter",
    "OnnxRuntimeAdapter",
    "OpenVinoAdapter",
    "TensorRtAdapter",
    "open_adapter",
]
