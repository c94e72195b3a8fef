import copy

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from small_checkpoint import small_generator
from tiny_model import tiny_graph

from retinagan.export.graph.build import build_onnx
from retinagan.export.graph.edit import (
    CONVERSIONS,
    OPERATORS,
    check_onnx,
    finished,
    first_line,
    layers,
    named_nodes,
    output_layer,
    write_metadata,
)
from retinagan.runtime.errors import ModelError


@pytest.fixture
def changed(model):
    """A copy of a model that engines take, for a test to spoil."""
    return copy.deepcopy(model)


@pytest.fixture
def tiny():
    return named_nodes(tiny_graph(2))


def op_types(model, names):
    nodes = {node.name: node.op_type for node in model.graph.node}
    return [nodes[name] for name in names]


def test_nodes_without_a_name_get_one_and_others_keep_theirs():
    model = tiny_graph(2)
    model.graph.node[1].name = "mine"
    assert named_nodes(model) is model
    names = [node.name for node in model.graph.node]
    assert names[:3] == ["conv_0", "mine", "add_2"]
    assert len(set(names)) == len(names)


def test_layers_are_those_with_weights_but_the_last(tiny):
    assert op_types(tiny, layers(tiny)) == ["Conv", "ConvTranspose"]
    assert op_types(tiny, output_layer(tiny)) == ["Conv", "Sigmoid"]
    assert set(layers(tiny)).isdisjoint(output_layer(tiny))


def test_what_a_conversion_leaves_is_put_right(tiny):
    expected = [node.name for node in tiny.graph.node]
    nodes = list(tiny.graph.node)[::-1]
    del tiny.graph.node[:]
    tiny.graph.node.extend(nodes)
    tiny.opset_import.add(domain="com.microsoft", version=1)
    tiny.graph.value_info.add(name="features")
    tiny.ir_version = 10
    finished(tiny)
    check_onnx(tiny)
    assert sorted(node.name for node in tiny.graph.node) == sorted(expected)
    assert [entry.domain for entry in tiny.opset_import] == [""]
    assert not tiny.graph.value_info
    assert tiny.ir_version == 8


def test_an_older_format_is_kept(tiny):
    tiny.ir_version = 7
    assert finished(tiny).ir_version == 7


@pytest.mark.parametrize("precision", CONVERSIONS)
def test_each_precision_may_hold_its_own_conversions_alone(tiny, precision):
    for operator in set().union(*CONVERSIONS.values()):
        spoiled = copy.deepcopy(tiny)
        spoiled.graph.node[1].op_type = operator
        if operator in CONVERSIONS[precision]:
            with pytest.raises(ModelError, match="onnx's checker rejects the model"):
                check_onnx(spoiled, precision)  # the operator passes, its missing inputs do not
        else:
            with pytest.raises(ModelError, match=rf"the graph contains {operator} \("):
                check_onnx(spoiled, precision)


def test_casts_are_for_fp16_alone(tiny):
    cast = helper.make_node("Cast", ["logit"], ["cast"], name="cast", to=TensorProto.FLOAT)
    tiny.graph.node[-1].input[0] = "cast"
    tiny.graph.node.insert(len(tiny.graph.node) - 1, cast)
    assert check_onnx(tiny, "fp16") is None
    with pytest.raises(ModelError, match=r"the graph contains Cast \(cast\); expected only Add, Concat"):
        check_onnx(tiny, "int8")


def test_the_first_five_foreign_operators_are_named(tiny):
    for node in tiny.graph.node[:7]:
        node.op_type = "Gelu"
    with pytest.raises(ModelError) as caught:
        check_onnx(tiny)
    assert str(caught.value).count("Gelu") == 5
    assert f"expected only {', '.join(sorted(OPERATORS))}: express the generator in these" in str(
        caught.value
    )


def test_functions_of_its_own(tiny):
    tiny.functions.add(name="mine", domain="local")
    with pytest.raises(ModelError, match="the graph contains local functions; expected only"):
        check_onnx(tiny)


@pytest.mark.parametrize(
    ("error", "line"), [(ValueError("a\nb"), "a"), (ValueError("\n  a\n"), "a"), (KeyError(), "KeyError")]
)
def test_the_first_line_of_an_error(error, line):
    assert first_line(error) == line


def test_a_foreign_operator_is_named(changed):
    changed.graph.node[0].op_type = "Gelu"
    changed.graph.node[1].domain = "com.example"
    first, second = changed.graph.node[0].name, changed.graph.node[1].name
    message = (
        rf"the graph contains Gelu \({first}\), Conv \({second}\); expected only Add, Concat, Conv, Conv"
    )
    with pytest.raises(ModelError, match=message):
        check_onnx(changed)


def test_a_batch_norm_left_unfolded_is_named():
    with pytest.raises(ModelError, match=r"the graph contains BatchNormalization \("):
        check_onnx(build_onnx(small_generator(widths=(2,)), 1))


def test_another_opset(changed):
    changed.opset_import[0].version = 18
    with pytest.raises(ModelError, match=r"operator sets \{'': 18\}; expected opset 17"):
        check_onnx(changed)


def test_a_fixed_axis(changed):
    changed.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 64
    with pytest.raises(
        ModelError, match=r"inputs and outputs are \{'image': \('batch', 3, 64, 'width'\).*; expected"
    ):
        check_onnx(changed)


def test_weights_that_do_not_fit(changed):
    weight = changed.graph.initializer[0]
    weight.CopyFrom(numpy_helper.from_array(np.zeros((5, 3, 1, 1), np.float32), weight.name))
    with pytest.raises(ModelError, match=r"onnx's checker rejects the model: .+") as raised:
        check_onnx(changed)
    assert "\n" not in str(raised.value)


def test_a_node_without_its_input(changed):
    changed.graph.node[0].input[1] = "nowhere"
    with pytest.raises(ModelError, match=r"onnx's checker rejects the model: .*nowhere"):
        check_onnx(changed)


def test_metadata_replaces_what_stood_under_its_key():
    model = onnx.ModelProto()
    helper.set_model_props(model, {"b": "kept", "a": "old"})
    write_metadata(model, "a", "new")
    assert [(entry.key, entry.value) for entry in model.metadata_props] == [("a", "new"), ("b", "kept")]
