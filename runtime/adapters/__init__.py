"""Engines that run a model, all under one contract; none is imported before it is asked for."""

from retinagan.runtime.adapters.base import EngineAdapter
from retinagan.runtime.adapters.onnx_runtime import OnnxRuntimeAdapter
from retinagan.runtime.adapters.opening import DEVICES, ENGINES, open_adapter
from retinagan.runtime.adapters.openvino_engine import OpenVinoAdapter
from retinagan.runtime.adapters.tensorrt_engine import TensorRtAdapter

__all__ = [
    "DEVICES",
    "ENGINES",
    "EngineAdapter",
    "OnnxRuntimeAdapter",
    "OpenVinoAdapter",
    "TensorRtAdapter",
    "open_adapter",
]
