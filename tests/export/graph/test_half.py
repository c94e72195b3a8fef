import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto
from tiny_model import tiny_graph

from retinagan.export.graph.edit import check_onnx
from retinagan.export.graph.half import to_half


@pytest.fixture(scope="module")
def full():
    return tiny_graph(4)


@pytest.fixture(scope="module")
def half(full):
    return to_half(full)


def run(model, image, roi):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["probability"], {"image": image, "roi": roi})[0]


def test_keeps_the_rules_of_every_engine(half):
    check_onnx(half, "fp16")
    assert {tensor.data_type for tensor in half.graph.initializer} == {TensorProto.FLOAT16}
    values = [*half.graph.input, *half.graph.output]
    assert {value.type.tensor_type.elem_type for value in values} == {TensorProto.FLOAT}


def test_the_sigmoid_stays_in_float32_and_gives_the_output(half):
    inferred = onnx.shape_inference.infer_shapes(half, strict_mode=True)
    types = {value.name: value.type.tensor_type.elem_type for value in inferred.graph.value_info}
    sigmoid = next(node for node in half.graph.node if node.op_type == "Sigmoid")
    assert list(sigmoid.output) == ["probability"]
    assert types[sigmoid.input[0]] == TensorProto.FLOAT
    convolutions = [node for node in half.graph.node if node.op_type.startswith("Conv")]
    assert {types[node.output[0]] for node in convolutions} == {TensorProto.FLOAT16}


def test_gives_nearly_the_same_probability(full, half):
    random = np.random.default_rng(0)
    image = random.standard_normal((2, 3, 16, 24), np.float32)
    roi = (random.random((2, 1, 16, 24)) < 0.8).astype(np.float32)
    expected = run(full, image, roi)
    found = run(half, image, roi)
    assert 0 < np.abs(found - expected).max() < 0.01
    assert (found != found.astype(np.float16)).any()  # float32's digits, not FP16's


def test_the_given_model_is_left_alone(full):
    before = full.SerializeToString(deterministic=True)
    to_half(full)
    assert full.SerializeToString(deterministic=True) == before
