import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper
from tiny_model import tiny_graph

from retinagan.export.graph.edit import check_onnx, layers, named_nodes, output_layer
from retinagan.export.graph.quantize import FORMS, ONNX_RUNTIME, OPENVINO, PORTABLE, quantize


@pytest.fixture(scope="module")
def full():
    return named_nodes(tiny_graph(4))


@pytest.fixture(scope="module")
def inputs():
    random = np.random.default_rng(0)
    roi = (random.random((2, 1, 16, 24)) < 0.8).astype(np.float32)
    return {"image": random.standard_normal((2, 3, 16, 24), np.float32), "roi": roi}


@pytest.fixture(scope="module")
def ranges(full, inputs):
    names = [name for node in full.graph.node for name in node.output]
    watched = tiny_graph(4)
    for name in names[:-1]:
        watched.graph.output.add(name=name)
    values = dict(inputs, **dict(zip(["probability", *names[:-1]], run(watched, inputs), strict=True)))
    return {name: (float(value.min()), float(value.max())) for name, value in values.items()}


def run(model, inputs):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def producers(model):
    return {output: node for node in model.graph.node for output in node.output}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_keeps_the_rules_and_nearly_the_probability(full, ranges, inputs, form):
    quantized = quantize(full, ranges, form)
    check_onnx(quantized, "int8")
    difference = np.abs(run(quantized, inputs)[0] - run(full, inputs)[0])
    assert 0 < difference.max() < 0.3
    assert difference.mean() < 0.02


def test_the_portable_form_is_symmetric_without_int32(full, ranges):
    quantized = quantize(full, ranges, PORTABLE)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in quantized.graph.initializer}
    assert TensorProto.INT32 not in {tensor.data_type for tensor in quantized.graph.initializer}
    nodes = [node for node in quantized.graph.node if node.op_type.endswith("quantizeLinear")]
    nodes += [node for node in quantized.graph.node if node.op_type == "QuantizeLinear"]
    assert nodes
    for node in nodes:
        zero = constants[node.input[2]]
        assert zero.dtype == np.int8
        assert not zero.any()


def test_openvinos_form_has_unsigned_activations_and_signed_weights_without_int32(full, ranges):
    quantized = quantize(full, ranges, OPENVINO)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in quantized.graph.initializer}
    assert TensorProto.INT32 not in {tensor.data_type for tensor in quantized.graph.initializer}
    activations = [node for node in quantized.graph.node if node.op_type == "QuantizeLinear"]
    assert {constants[node.input[2]].dtype for node in activations} == {np.dtype(np.uint8)}
    made = producers(quantized)
    weights = [made[node.input[1]] for node in quantized.graph.node if node.name in layers(full)]
    assert {constants[weight.input[0]].dtype for weight in weights} == {np.dtype(np.int8)}


@pytest.mark.parametrize("form", [PORTABLE, OPENVINO])
def test_forms_that_round_what_layers_take_and_not_what_they_give(full, ranges, form):
    quantized = quantize(full, ranges, form)
    made = producers(quantized)
    taken = {node.input[0] for node in quantized.graph.node if node.op_type == "QuantizeLinear"}
    for node in quantized.graph.node:
        if node.name in layers(full):
            assert made[node.input[0]].op_type == "DequantizeLinear"
    assert "image" in taken
    assert taken.isdisjoint(
        name for node in quantized.graph.node if node.name in layers(full) for name in node.output
    )


def test_weights_have_a_scale_for_each_output_channel(full, ranges):
    both = {"Conv": 0, "ConvTranspose": 1}
    for form, axes in ((PORTABLE, both), (OPENVINO, both), (ONNX_RUNTIME, {"Conv": 0})):
        quantized = quantize(full, ranges, form)
        made = producers(quantized)
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in quantized.graph.initializer}
        found = set()
        for node in quantized.graph.node:
            weight = made.get(node.input[1]) if node.op_type in axes else None
            if weight is not None:
                axis = next(attribute.i for attribute in weight.attribute if attribute.name == "axis")
                assert axis == axes[node.op_type]
                assert constants[weight.input[1]].shape == (constants[weight.input[0]].shape[axis],)
                found.add(node.op_type)
        assert found == set(axes)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_weights_leave_room_for_the_sum_of_two_products_in_16_bits(full, ranges, form):
    quantized = quantize(full, ranges, form)
    made = producers(quantized)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in quantized.graph.initializer}
    weights = [
        constants[made[node.input[1]].input[0]]
        for node in quantized.graph.node
        if node.op_type in ("Conv", "ConvTranspose") and node.input[1] in made
    ]
    assert weights
    largest = max(int(np.abs(weight.astype(int)).max()) for weight in weights)
    assert largest > 32  # the range is used
    assert 2 * 255 * largest <= np.iinfo(np.int16).max


def test_onnx_runtimes_form_has_uint8_activations_and_int32_bias(full, ranges):
    types = {tensor.data_type for tensor in quantize(full, ranges, ONNX_RUNTIME).graph.initializer}
    assert {TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32} <= types


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_last_convolution_and_the_sigmoid_stay_in_float(full, ranges, form):
    quantized = quantize(full, ranges, form)
    made = producers(quantized)
    names = output_layer(full)
    assert [node.op_type for node in full.graph.node if node.name in names] == ["Conv", "Sigmoid"]
    sigmoid = made["probability"]
    convolution = made[sigmoid.input[0]]
    assert (convolution.op_type, sigmoid.op_type) == ("Conv", "Sigmoid")
    assert convolution.input[1] not in made  # its weight is a constant, not dequantized


def test_layers_that_are_kept_stay_in_float(full, ranges):
    names = layers(full)
    assert len(names) == 2
    for kept in names:
        quantized = quantize(full, ranges, PORTABLE, [kept])
        made = producers(quantized)
        in_float = {
            node.name for node in quantized.graph.node if node.name in names and node.input[1] not in made
        }
        assert in_float == {kept}


def test_all_layers_kept_give_fp32(full, ranges, inputs):
    quantized = quantize(full, ranges, PORTABLE, layers(full))
    np.testing.assert_array_equal(run(quantized, inputs)[0], run(full, inputs)[0])


def test_the_given_model_is_left_alone(full, ranges):
    before = full.SerializeToString(deterministic=True)
    quantize(full, ranges, PORTABLE)
    assert full.SerializeToString(deterministic=True) == before
