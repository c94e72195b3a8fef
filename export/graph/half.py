"""FP16: the same graph with weights and activations in half precision, inputs and output in float32."""

import copy
import warnings

import onnx

from retinagan.export.graph.edit import finished, named_nodes, output_layer


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """
    Convert an FP32 model to FP16.

    The sigmoid stays in float32, so that small probabilities keep their digits. Inputs and output do too, so
    that every precision is called alike.

    Parameters
    ----------
    model : onnx.ModelProto
        As returned by `build_onnx`; left unchanged.

    Returns
    -------
    onnx.ModelProto
        Strongly typed: with casts where the precision changes.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = named_nodes(copy.deepcopy(model))
    sigmoid = output_layer(model)[-1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about weights too small for FP16; the proof decides
        half = convert_float_to_float16(model, keep_io_types=True, node_block_list=[sigmoid])
    _drop_last_casts(half, sigmoid)
    return finished(half)


def _drop_last_casts(model: onnx.ModelProto, sigmoid: str) -> None:
    """Make the sigmoid's output the graph's: the converter casts it to FP16 and back, which costs digits."""
    node = next(node for node in model.graph.node if node.name == sigmoid)
    name = node.output[0]
    while following := [cast for cast in model.graph.node if cast.op_type == "Cast" and name in cast.input]:
        name = following[0].output[0]
        model.graph.node.remove(following[0])
    node.output[0] = name
