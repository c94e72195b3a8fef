"""INT8 with explicit Q/DQ: a form that TensorRT reads, and one for each engine of CPUs."""

import copy
import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

from retinagan.export.graph.edit import LAYERS, finished, named_nodes, output_layer

Ranges = Mapping[str, tuple[float, float]]
"""The smallest and largest value of each activation during calibration, by name."""


@dataclass(frozen=True)
class Form:
    """A form of INT8 in an ONNX file.

    Attributes
    ----------
    operators : tuple of str
        Operators that are quantized.
    signed : bool
        Whether activations are int8 around zero, or uint8 with a zero point.
    options : mapping
        Options of ONNX Runtime's quantizer.
    """

    operators: tuple[str, ...]
    signed: bool
    options: Mapping[str, Any] = field(default_factory=dict)


PORTABLE = Form(
    LAYERS,
    True,
    {
        # The only form that TensorRT's parser accepts: symmetric, without int32 bias.
        "ActivationSymmetric": True,
        "WeightSymmetric": True,
        "QuantizeBias": False,
        # A layer's output is first summed: rounding it there too costs accuracy and gains no time.
        "OpTypesToExcludeOutputQuantization": list(LAYERS),
    },
)
OPENVINO = Form(
    LAYERS,
    False,
    {
        # As above, but for the activations: a CPU without VNNI multiplies uint8 by int8, and OpenVINO's way
        # round that for int8 activations costs as much agreement with FP32 as all other rounding.
        "WeightSymmetric": True,
        "QuantizeBias": False,
        "OpTypesToExcludeOutputQuantization": list(LAYERS),
    },
)
ONNX_RUNTIME = Form(
    ("Conv", "Add", "Concat", "MaxPool", "Relu"),
    False,
)
FORMS = {"int8": PORTABLE, "int8-openvino": OPENVINO, "int8-onnxruntime": ONNX_RUNTIME}
"""The forms, by precision."""


def quantize(
    model: onnx.ModelProto, ranges: Ranges, form: Form, kept: Collection[str] = ()
) -> onnx.ModelProto:
    """
    Write a model in INT8.

    Weights are int8 of -64 to 64, a scale for each output channel. The last convolution and the sigmoid stay
    in float.

    Parameters
    ----------
    model : onnx.ModelProto
        FP32, with BatchNorm folded; left unchanged.
    ranges : mapping
        From calibration; the same for all forms.
    form : Form
    kept : collection of str
        Names of layers to keep in float.

    Returns
    -------
    onnx.ModelProto
        With the same inputs and output.
    """
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    model = onnx.shape_inference.infer_shapes(named_nodes(copy.deepcopy(model)))
    limits = {
        name: (np.array(low, np.float32), np.array(high, np.float32)) for name, (low, high) in ranges.items()
    }
    with _quiet():
        quantizer = QDQQuantizer(
            model,
            per_channel=True,
            # CPUs with AVX2 but no VNNI add two products of uint8 and int8 in 16 bits, which saturate.
            # Weights of 7 bits cannot overflow them, and cost next to nothing.
            reduce_range=True,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QInt8 if form.signed else QuantType.QUInt8,
            tensors_range=TensorsData(CalibrationMethod.MinMax, limits),
            nodes_to_quantize=[],
            nodes_to_exclude=[*output_layer(model), *kept],
            op_types_to_quantize=list(form.operators),
            extra_options=dict(form.options),
        )
        quantizer.quantize_model()
    quantized: onnx.ModelProto = quantizer.model.model
    return finished(quantized)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide the quantizer's advice to its own users."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
