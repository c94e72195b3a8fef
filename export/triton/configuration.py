"""The ``config.pbtxt`` of models in a Triton model repository, as text."""

from collections.abc import Sequence

from retinagan.export.tensorrt.export import default_batch
from retinagan.runtime.model.spec import ModelSpec
from retinagan.runtime.serve.tensors import INPUTS, OUTPUTS, Tensor

WRITTEN = "# Written by retina-export."
"""The first line of every configuration that this package has written."""


def whole_configuration(name: str, spec: ModelSpec) -> str:
    """Return the configuration of the whole way from image to map, by the Python backend.

    Parameters
    ----------
    name : str
        The model's folder in the repository.
    spec : ModelSpec
        Of the file beside ``model.py``.
    """
    kind = "KIND_GPU" if spec.engine is not None else "KIND_MODEL"
    return "\n".join(
        [
            f"{WRITTEN} Images in, maps out: {spec.name}, {spec.precision}, SHA-256 {spec.sha256}",
            f'name: "{name}"',
            'backend: "python"',
            "max_batch_size: 0",
            *_tensors("input", INPUTS, optional=True),
            *_tensors("output", OUTPUTS),
            "# KIND_MODEL takes the best device that works; KIND_CPU or KIND_GPU say which.",
            f"instance_group [ {{ kind: {kind} count: 1 }} ]",
            f'parameters {{ key: "model_file" value {{ string_value: "{spec.file}" }} }}',
            "",
        ]
    )


def network_configuration(name: str, spec: ModelSpec) -> str:
    """Return the configuration of the network alone, as ONNX by ONNX Runtime or as an engine by TensorRT.

    Parameters
    ----------
    name : str
        The model's folder in the repository.
    spec : ModelSpec
        Of the file that is served.
    """
    lengths, largest, backend = (-1, -1), default_batch(spec)[2], "onnxruntime"
    if spec.engine is not None:
        lengths, largest, backend = (spec.usual_patch,) * 2, spec.engine.batch[2], "tensorrt"
    return "\n".join(
        [
            f"{WRITTEN} The network alone, of equalized patches: {spec.name}, {spec.precision}, SHA-256 "
            f"{spec.sha256}",
            f'name: "{name}"',
            f'backend: "{backend}"',
            f"max_batch_size: {largest}",
            *_tensors(
                "input", [Tensor("image", "FP32", (3, *lengths)), Tensor("roi", "FP32", (1, *lengths))]
            ),
            *_tensors("output", [Tensor("probability", "FP32", (1, *lengths))]),
            *(["dynamic_batching { }"] if largest > 1 else []),
            "",
        ]
    )


def _tensors(kind: str, tensors: Sequence[Tensor], *, optional: bool = False) -> list[str]:
    """Return a list of inputs or outputs."""
    lines = []
    for tensor in tensors:
        datatype = "STRING" if tensor.datatype == "BYTES" else tensor.datatype
        dims = ", ".join(map(str, tensor.shape))
        mark = " optional: true" if optional else ""
        lines.append(
            f'{kind} [ {{ name: "{tensor.name}" data_type: TYPE_{datatype} dims: [ {dims} ]{mark} }} ]'
        )
    return lines
