"""The generator as an ONNX graph that ONNX Runtime, OpenVINO and TensorRT 8.6 to 11 all read."""

import contextlib
import logging
import warnings
from collections.abc import Iterator

import onnx
import torch
from torch import nn

from retinagan.runtime import __version__
from retinagan.runtime.errors import ModelError

OPSET = 17
"""The newest operator set that TensorRT 8.6 reads."""
IR_VERSION = 8
"""The file format that came with opset 17; the exporter's own is too new for ONNX Runtime 1.18."""
OPERATORS = frozenset({"Add", "Concat", "Conv", "ConvTranspose", "MaxPool", "Mul", "Relu", "Sigmoid"})
"""All that a deployed graph may hold: every engine runs these fast, and in every precision."""
_AXES = ("batch", "channels", "height", "width")
_CHANNELS = {"image": 3, "roi": 1, "probability": 1}


class ProbabilityNetwork(nn.Module):
    """A generator whose output is the vessel probability, not its logit."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, image: torch.Tensor, roi: torch.Tensor) -> torch.Tensor:
        """Give the probability, (N, 1, H, W), of an image (N, 3, H, W) and its ROI (N, 1, H, W)."""
        return torch.sigmoid(self.generator(image, roi))


def build_onnx(generator: nn.Module, divisor: int) -> onnx.ModelProto:
    """
    Turn a generator into an ONNX model.

    Parameters
    ----------
    generator : torch.nn.Module
        Called as `generator(image, roi)`, gives logits; its BatchNorm folded, float32, on the CPU.
    divisor : int
        The number of which the images' height and width must be multiples.

    Returns
    -------
    onnx.ModelProto
        Inputs `image` (N, 3, H, W) and `roi` (N, 1, H, W), output `probability` (N, 1, H, W), all float32,
        with N, H and W free. The same generator gives the same bytes.

    Raises
    ------
    ModelError
        If torch cannot export the generator.
    """
    network = ProbabilityNetwork(generator).eval().requires_grad_(False)
    size = (4 * divisor, 6 * divisor)  # unlike, or the exporter takes height and width for one axis
    example = (torch.zeros(2, 3, *size), torch.ones(2, 1, *size))
    free = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)  # named by _tidy: torch takes names from 2.7 on
    with _quiet():
        try:
            program = torch.onnx.export(
                network,
                example,
                dynamo=True,
                external_data=False,
                opset_version=OPSET,
                input_names=["image", "roi"],
                output_names=["probability"],
                dynamic_shapes={"image": free, "roi": free},
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise ModelError(f"torch could not export the generator to ONNX: {_first_line(error)}") from error
    assert program is not None  # it is with dynamo=False alone
    model: onnx.ModelProto = program.model_proto
    _tidy(model)
    return model


def check_onnx(model: onnx.ModelProto) -> None:
    """
    Hold an ONNX model to what every engine accepts.

    Parameters
    ----------
    model : onnx.ModelProto
        A whole model, weights inside.

    Raises
    ------
    ModelError
        If it holds an operator outside `OPERATORS` (each is named), another opset, inputs or outputs of other
        names or shapes, or if onnx's own full check refuses it.
    """
    foreign = [node for node in model.graph.node if node.op_type not in OPERATORS or node.domain]
    if foreign or model.functions:
        named = ", ".join(f"{node.op_type} ({node.name})" for node in foreign[:5]) or "local functions"
        raise ModelError(
            f"the graph holds {named}; expected only {', '.join(sorted(OPERATORS))}: "
            "express the generator in these"
        )
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    if opsets != {"": OPSET}:
        raise ModelError(f"the graph is of the operator sets {opsets}; expected opset {OPSET}: update onnx")
    got = {value.name: _axes(value) for value in (*model.graph.input, *model.graph.output)}
    expected = {name: ("batch", channels, "height", "width") for name, channels in _CHANNELS.items()}
    if got != expected:
        raise ModelError(f"the graph's inputs and outputs are {got}; expected {expected}")
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelError(f"onnx's checker refuses the model: {_first_line(error)}") from error


def write_metadata(model: onnx.ModelProto, key: str, value: str) -> None:
    """Set one entry of the model's own metadata, in place of what stood under the key."""
    kept = [(entry.key, entry.value) for entry in model.metadata_props if entry.key != key]
    del model.metadata_props[:]
    for name, text in sorted([*kept, (key, value)]):
        model.metadata_props.add(key=name, value=text)


def _tidy(model: onnx.ModelProto) -> None:
    """Drop what tells of the exporting machine (its paths are in stack traces) and what readers can infer."""
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "retinagan", __version__
    graph = model.graph
    graph.name = "retinagan"
    del model.metadata_props[:], graph.metadata_props[:], graph.value_info[:]
    for part in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("doc_string")
        del part.metadata_props[:]
    for value in (*graph.input, *graph.output):
        for axis, dimension in zip(_AXES, value.type.tensor_type.shape.dim, strict=False):
            if dimension.dim_param:
                dimension.dim_param = axis


def _axes(value: onnx.ValueInfoProto) -> tuple[str | int, ...]:
    return tuple(axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's warnings and log lines, which concern its makers, from the user's screen."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
