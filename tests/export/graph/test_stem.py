"""A net on a grid coarser than the image, in every form that it is exported in."""

import numpy as np
import onnxruntime
import pytest
import torch
from small_checkpoint import small_generator

from retinagan.export.graph.build import build_onnx
from retinagan.export.graph.edit import check_onnx, layers, named_nodes, output_layer
from retinagan.export.graph.fold import fold_batch_norm
from retinagan.export.graph.half import to_half
from retinagan.export.graph.quantize import FORMS, quantize


@pytest.fixture(scope="module", params=[2, 4])
def generator(request):
    return small_generator(stem=request.param)


@pytest.fixture(scope="module")
def model(generator):
    return named_nodes(build_onnx(fold_batch_norm(generator), generator.config.divisor))


@pytest.fixture(scope="module")
def inputs():
    random = np.random.default_rng(0)
    roi = (random.random((2, 1, 24, 40)) < 0.4).astype(np.float32)
    return {"image": random.standard_normal((2, 3, 24, 40), np.float32), "roi": roi}


@pytest.fixture(scope="module")
def expected(generator, inputs):
    with torch.no_grad():
        return torch.sigmoid(generator(*map(torch.from_numpy, inputs.values()))).numpy()


def run(model, inputs):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def test_the_graph_is_of_operators_that_all_engines_have(model, generator):
    check_onnx(model)
    (shuffle,) = (node for node in model.graph.node if node.op_type == "DepthToSpace")
    attributes = {one.name: one.s or one.i for one in shuffle.attribute}
    assert attributes == {"mode": b"CRD", "blocksize": generator.config.stem}
    kinds = {node.name: node.op_type for node in model.graph.node}
    assert [kinds[name] for name in output_layer(model)] == ["Conv", "DepthToSpace", "Sigmoid"]


def test_onnx_runtime_agrees_with_torch(model, inputs, expected):
    np.testing.assert_allclose(run(model, inputs)[0], expected, atol=2e-6)


def test_openvino_agrees_with_torch(model, inputs, expected):
    openvino = pytest.importorskip("openvino")
    core = openvino.Core()
    network = core.read_model(model.SerializeToString(), b"")
    compiled = core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    np.testing.assert_allclose(compiled(inputs)["probability"], expected, atol=2e-6)


def test_fp16_is_near(model, inputs, expected):
    half = to_half(model)
    check_onnx(half, "fp16")
    np.testing.assert_allclose(run(half, inputs)[0], expected, atol=5e-3)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_int8_is_near_and_keeps_the_head_in_float(model, inputs, expected, form):
    names = [name for node in model.graph.node for name in node.output]
    watched = named_nodes(type(model).FromString(model.SerializeToString()))
    for name in names[:-1]:
        watched.graph.output.add(name=name)
    found = dict(inputs, **dict(zip(["probability", *names[:-1]], run(watched, inputs), strict=True)))
    ranges = {name: (float(value.min()), float(value.max())) for name, value in found.items()}
    quantized = quantize(model, ranges, form)
    check_onnx(quantized, "int8")
    difference = np.abs(run(quantized, inputs)[0] - expected)
    assert 0 < difference.max() < 0.3
    assert difference.mean() < 0.02
    kept = set(output_layer(model))
    made = {output: node.op_type for node in quantized.graph.node for output in node.output}
    head = next(node for node in quantized.graph.node if node.name in kept and node.op_type == "Conv")
    assert made.get(head.input[1], "") != "DequantizeLinear"
    assert set(layers(model)).isdisjoint(kept)
