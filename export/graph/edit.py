"""Checks and edits of a model's graph, for all precisions."""

import onnx

from retinagan.runtime.errors import ModelError

OPSET = 17
"""The newest operator set that TensorRT 8.6 can read."""
IR_VERSION = 8
"""The file format released with opset 17; the exporter's own is too new for ONNX Runtime 1.18."""
OPERATORS = frozenset(
    {"Add", "Concat", "Conv", "ConvTranspose", "DepthToSpace", "MaxPool", "Mul", "Relu", "Sigmoid"}
)
"""The operators allowed in an FP32 graph: every engine runs them fast and in every precision."""
CONVERSIONS = {
    "fp32": frozenset(),
    "bf16": frozenset(),
    "fp16": frozenset({"Cast"}),
    "int8": frozenset({"QuantizeLinear", "DequantizeLinear"}),
}
"""Additional operators by precision."""
LAYERS = ("Conv", "ConvTranspose")
"""Operators with weights, which INT8 speeds up."""
AXES = ("batch", "channels", "height", "width")
_CHANNELS = {"image": 3, "roi": 1, "probability": 1}


def named_nodes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Name every node that has no name; return the model."""
    for index, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type.lower()}_{index}"
    return model


def layers(model: onnx.ModelProto) -> list[str]:
    """Return the names of the layers with weights, in order, except the last, which stays in float."""
    kept = output_layer(model)
    return [node.name for node in model.graph.node if node.op_type in LAYERS and node.name not in kept]


def output_layer(model: onnx.ModelProto) -> list[str]:
    """Return the names of the head: the last convolution, the shuffle and the sigmoid."""
    producer = {output: node for node in model.graph.node for output in node.output}
    node = producer[model.graph.output[0].name]
    found = [node.name]
    while node.op_type not in LAYERS and node.input[0] in producer:
        node = producer[node.input[0]]
        found.insert(0, node.name)
    return found


def finished(model: onnx.ModelProto) -> onnx.ModelProto:
    """Clean up after a conversion: node order, inferred shapes, foreign opsets, a newer file format."""
    _sort(model.graph)
    used = {node.domain for node in model.graph.node}
    opsets = [entry for entry in model.opset_import if entry.domain in used or not entry.domain]
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    del model.graph.value_info[:]
    model.ir_version = min(model.ir_version, IR_VERSION)
    assert any(entry.version == OPSET for entry in model.opset_import)
    return model


def check_onnx(model: onnx.ModelProto, precision: str = "fp32") -> None:
    """
    Raise `ModelError` unless every engine accepts an ONNX model.

    Parameters
    ----------
    model : onnx.ModelProto
        A complete model, with its weights inside.
    precision : {"fp32", "bf16", "fp16", "int8"}
        FP16 may also contain casts, INT8 Q/DQ; BF16 is the FP32 graph, which the engine rounds.

    Raises
    ------
    ModelError
        If it contains an operator that its precision does not allow (each is named), has another opset or
        inputs or outputs of other names or shapes, or if onnx's own full check rejects it.
    """
    allowed = OPERATORS | CONVERSIONS[precision]
    foreign = [node for node in model.graph.node if node.op_type not in allowed or node.domain]
    if foreign or model.functions:
        named = ", ".join(f"{node.op_type} ({node.name})" for node in foreign[:5]) or "local functions"
        raise ModelError(
            f"the graph contains {named}; expected only {', '.join(sorted(allowed))}: "
            "express the generator in these"
        )
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    if opsets != {"": OPSET}:
        raise ModelError(f"the graph uses the operator sets {opsets}; expected opset {OPSET}: update onnx")
    got = {value.name: _axes(value) for value in (*model.graph.input, *model.graph.output)}
    expected = {name: ("batch", channels, "height", "width") for name, channels in _CHANNELS.items()}
    if got != expected:
        raise ModelError(f"the graph's inputs and outputs are {got}; expected {expected}")
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelError(f"onnx's checker rejects the model: {first_line(error)}") from error


def write_metadata(model: onnx.ModelProto, key: str, value: str) -> None:
    """Set one entry of the model's metadata, replacing an earlier one with this key."""
    kept = [(entry.key, entry.value) for entry in model.metadata_props if entry.key != key]
    del model.metadata_props[:]
    for name, text in sorted([*kept, (key, value)]):
        model.metadata_props.add(key=name, value=text)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or the name of its type."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _sort(graph: onnx.GraphProto) -> None:
    """Sort the nodes so that each comes after those whose outputs it uses."""
    waiting = list(graph.node)
    made = {output for node in waiting for output in node.output}
    ready: list[onnx.NodeProto] = []
    while waiting:
        first = [node for node in waiting if made.isdisjoint(node.input)]
        made -= {output for node in first for output in node.output}
        ready += first
        waiting = [node for node in waiting if node not in first]
    del graph.node[:]
    graph.node.extend(ready)


def _axes(value: onnx.ValueInfoProto) -> tuple[str | int, ...]:
    return tuple(axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim)
