import copy
import logging
import sys

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto
from torch import nn

from retinagan.export.graph.build import build_onnx
from retinagan.export.graph.edit import OPERATORS, check_onnx
from retinagan.export.graph.fold import fold_batch_norm
from retinagan.runtime.errors import ModelError


@pytest.fixture
def changed(model):
    return copy.deepcopy(model)


def test_keeps_the_rules_of_every_engine(model):
    check_onnx(model)
    assert {node.op_type for node in model.graph.node} == OPERATORS - {"DepthToSpace"}  # of a stem alone
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    assert model.ir_version == 8
    assert {tensor.data_type for tensor in model.graph.initializer} == {TensorProto.FLOAT}


def test_names_its_inputs_outputs_and_free_axes(model):
    def axes(value):
        return value.name, [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]

    assert [axes(value) for value in model.graph.input] == [
        ("image", ["batch", 3, "height", "width"]),
        ("roi", ["batch", 1, "height", "width"]),
    ]
    assert [axes(value) for value in model.graph.output] == [("probability", ["batch", 1, "height", "width"])]


@pytest.mark.parametrize("shape", [(1, 2, 2), (1, 64, 8), (5, 10, 30)])
def test_gives_torchs_probability_at_any_size(model, generator, shape):
    count, height, width = shape
    random = np.random.default_rng(0)
    image = random.standard_normal((count, 3, height, width), np.float32)
    roi = (random.random((count, 1, height, width)) < 0.7).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = torch.sigmoid(generator(torch.from_numpy(image), torch.from_numpy(roi))).numpy()
    np.testing.assert_allclose(session.run(None, {"image": image, "roi": roi})[0], expected, atol=2e-6)


def test_tells_nothing_of_the_machine(model):
    content = model.SerializeToString()
    for path in (sys.prefix, __file__, "site-packages", "stack_trace"):
        assert path.encode() not in content


def test_gives_the_same_bytes_again_and_works_in_silence(model, generator, capfd):
    again = build_onnx(fold_batch_norm(generator), generator.config.divisor)
    assert again.SerializeToString(deterministic=True) == model.SerializeToString(deterministic=True)
    assert capfd.readouterr() == ("", "")
    assert logging.root.manager.disable == logging.NOTSET


class DependsOnData(nn.Module):
    def forward(self, image, roi):
        return image[:, :1] if image.sum() > 0 else roi


def test_a_generator_that_torch_cannot_export():
    with pytest.raises(ModelError, match=r"torch could not export the generator to ONNX: .+") as raised:
        build_onnx(DependsOnData().eval(), 8)
    assert "\n" not in str(raised.value)
