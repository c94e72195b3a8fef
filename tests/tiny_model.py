"""A small deterministic vessel model in an ONNX file: all operators of the real one, without training."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from retinagan.runtime.model.parameters import Confidence, NetworkInput, Preprocessing, Tiling
from retinagan.runtime.model.spec import METADATA_KEY, ModelSpec, spec_path
from retinagan.runtime.model.verification import sha256_of

WORKING_SIZE = 128
PATCH = 64


def tiny_spec(**changes) -> ModelSpec:
    """Return the tiny model's spec without a hash, with other values for some keys."""
    values = {
        "name": "tiny",
        "file": "tiny.onnx",
        "precision": "fp32",
        "threshold": 0.5,
        "preprocessing": Preprocessing("none", 5.0, WORKING_SIZE),
        "network_input": NetworkInput(),
        "tiling": Tiling(PATCH, 0.0),
        "training": {"data": "none"},
        "confidence": Confidence(),  # its maps are as poor as they are: none is below its usual confidence
    }
    return ModelSpec(**(values | changes))


def write_tiny_model(
    folder: Path, spec: ModelSpec | None = None, *, metadata: str | None = None, width: int = 2
) -> Path:
    """Write the model with its spec beside it and in its metadata (or `metadata` there); return its path."""
    spec = spec or tiny_spec()
    model = tiny_graph(width)
    helper.set_model_props(model, {METADATA_KEY: spec.to_json() if metadata is None else metadata})
    path = folder / spec.file
    onnx.save(model, path)
    described = ModelSpec(**(vars(spec) | {"sha256": sha256_of(path)}))
    described.save(spec_path(path))
    return path


def tiny_graph(width: int = 2) -> onnx.ModelProto:
    """Return a network that marks pixels darker than their surroundings, with `width` channels."""
    # Channel 0 answers to dark thin lines in green, the others to fixed noise of little weight.
    generator = np.random.default_rng(7)
    first = generator.normal(0, 0.1, (width, 3, 3, 3)).astype(np.float32)
    first[0] = 0.0
    first[0, 1] = [[0.25, 0.5, 0.25], [0.5, -3.0, 0.5], [0.25, 0.5, 0.25]]
    raised = generator.normal(0, 0.1, (width, width, 2, 2)).astype(np.float32)
    last = generator.normal(0, 0.05, (1, 2 * width, 1, 1)).astype(np.float32)
    last[0, 0] = 6.0
    weights = {
        "first": first,
        "first_bias": np.zeros(width, np.float32),
        "raised": raised,
        "last": last,
        "last_bias": np.array([-2.0], np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["image", "first", "first_bias"], ["features"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["features"], ["active"]),
        helper.make_node("Add", ["active", "features"], ["residual"]),
        helper.make_node("MaxPool", ["residual"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("ConvTranspose", ["pooled", "raised"], ["up"], strides=[2, 2]),
        helper.make_node("Concat", ["active", "up"], ["joined"], axis=1),
        helper.make_node("Mul", ["joined", "roi"], ["masked"]),
        helper.make_node("Conv", ["masked", "last", "last_bias"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["probability"]),
    ]
    values = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", channels, "height", "width"])
        for name, channels in (("image", 3), ("roi", 1), ("probability", 1))
    }
    graph = helper.make_graph(
        nodes,
        "tiny",
        [values["image"], values["roi"]],
        [values["probability"]],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def reference_output(path: Path, image: np.ndarray, roi: np.ndarray) -> np.ndarray:
    """Return a model's output by onnx's own evaluator, which shares no code with any engine."""
    return ReferenceEvaluator(str(path)).run(["probability"], {"image": image, "roi": roi})[0]
