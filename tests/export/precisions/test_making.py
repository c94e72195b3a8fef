import numpy as np
import onnx
import pytest
from adapter_contract import patches
from onnx import TensorProto

from retinagan.export.graph.edit import layers
from retinagan.export.options import MEANT_FOR
from retinagan.runtime.engines import OnnxRuntimeAdapter
from retinagan.runtime.model.verification import sha256_of


def probability(draft):
    with OnnxRuntimeAdapter(draft.path, draft.spec, threads=1) as adapter:
        return adapter.infer(*patches(2))


def test_fp32_is_the_draft_that_all_are_made_from(maker, fp32, steps, said):
    assert maker.make("fp32", steps) is fp32
    assert said.getvalue() == ""


@pytest.mark.parametrize(
    ("precision", "of_spec"),
    [
        ("fp16", "fp16"),
        ("bf16", "bf16"),
        ("int8", "int8"),
        ("int8-openvino", "int8"),
        ("int8-onnxruntime", "int8"),
    ],
)
def test_each_precision_is_a_file_of_its_own(maker, fp32, steps, said, precision, of_spec):
    before = fp32.path.read_bytes()
    draft = maker.make(precision, steps)
    assert draft.path == fp32.path.with_name(f"tiny-{precision}.onnx")
    assert (draft.spec.file, draft.spec.precision) == (draft.path.name, of_spec)
    assert draft.spec.sha256 == sha256_of(draft.path)
    assert draft.facts["meant_for"] == MEANT_FOR[precision]
    size = f"{draft.path.stat().st_size / 1e6:.2f} MB"
    assert said.getvalue().startswith(f"write {precision} ... {size}; ")
    assert fp32.path.read_bytes() == before


@pytest.mark.parametrize(
    ("precision", "most"),
    [("fp16", 0.001), ("int8", 0.05), ("int8-openvino", 0.05), ("int8-onnxruntime", 0.05)],
)
def test_a_precision_gives_nearly_fp32s_probability(maker, fp32, steps, precision, most):
    difference = np.abs(probability(maker.make(precision, steps)) - probability(fp32))
    assert 0 < difference.mean() < most


def test_bf16_is_fp32s_graph(maker, fp32, steps):
    draft = maker.make("bf16", steps)
    assert draft.model.graph == fp32.model.graph
    assert draft.model is not fp32.model


def test_fp16_holds_its_weights_in_half(maker, steps):
    model = onnx.load(maker.make("fp16", steps).path)
    kinds = [tensor.data_type for tensor in model.graph.initializer]
    assert kinds.count(TensorProto.FLOAT16) > len(kinds) / 2


def test_int8_says_what_it_was_calibrated_with_and_what_stays_in_float(maker, calibration, fp32):
    kept = layers(fp32.model)[:1]
    draft = maker.int8("int8", kept)
    assert draft.facts == {
        "meant_for": MEANT_FOR["int8"],
        "calibration": calibration.record(),
        "layers_in_float": kept,
    }
    assert maker.int8("int8").facts["layers_in_float"] == []
