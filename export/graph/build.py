"""Export the generator to an ONNX graph that ONNX Runtime, OpenVINO and TensorRT 8.6 to 11 can read."""

import contextlib
import logging
import warnings
from collections.abc import Iterator

import onnx
import torch
from torch import nn

from retinagan.export.graph.edit import AXES, IR_VERSION, OPSET, first_line
from retinagan.runtime import __version__
from retinagan.runtime.errors import ModelError


class ProbabilityNetwork(nn.Module):
    """A generator that returns the vessel probability instead of its logit."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, image: torch.Tensor, roi: torch.Tensor) -> torch.Tensor:
        """Return the probability (N, 1, H, W) for an image (N, 3, H, W) and its ROI (N, 1, H, W)."""
        return torch.sigmoid(self.generator(image, roi))


def build_onnx(generator: nn.Module, divisor: int) -> onnx.ModelProto:
    """
    Export a generator to an ONNX model.

    Parameters
    ----------
    generator : torch.nn.Module
        Called as `generator(image, roi)`, returns logits; with BatchNorm folded, float32, on the CPU.
    divisor : int
        Images' height and width must be multiples of this number.

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
    size = (4 * divisor, 6 * divisor)  # different, or the exporter takes height and width for one axis
    example = (torch.zeros(2, 3, *size), torch.ones(2, 1, *size))
    free = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)  # named by _tidy: torch accepts names since 2.7
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
            raise ModelError(f"torch could not export the generator to ONNX: {first_line(error)}") from error
    assert program is not None  # it is None only with dynamo=False
    model: onnx.ModelProto = program.model_proto
    _tidy(model)
    return model


def _tidy(model: onnx.ModelProto) -> None:
    """Remove traces of the exporting machine, such as paths, and what readers can infer."""
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "retinagan", __version__
    graph = model.graph
    graph.name = "retinagan"
    del model.metadata_props[:], graph.metadata_props[:], graph.value_info[:]
    for part in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("doc_string")
        del part.metadata_props[:]
    for value in (*graph.input, *graph.output):
        for axis, dimension in zip(AXES, value.type.tensor_type.shape.dim, strict=False):
            if dimension.dim_param:
                dimension.dim_param = axis


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide the exporter's warnings and log lines, which are meant for its developers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
