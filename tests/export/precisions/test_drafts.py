import copy
import json
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest

from retinagan.export.options import MEANT_FOR
from retinagan.export.precisions import drafts
from retinagan.export.precisions.drafts import Prover, open_draft, with_threshold, write_draft
from retinagan.export.proof.agreement import ParityError
from retinagan.export.proof.images import ImageFolder
from retinagan.export.proof.measure import measure
from retinagan.export.proof.pack import read_pack
from retinagan.runtime.engines import OnnxRuntimeAdapter, OpenVinoAdapter
from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.onnx_metadata import onnx_metadata
from retinagan.runtime.model.parameters import MapThreshold
from retinagan.runtime.model.spec import METADATA_KEY, ModelSpec, spec_path
from retinagan.runtime.model.verification import sha256_of


def altered(draft, change):
    """The draft again, with its last layer's bias changed."""
    model = copy.deepcopy(draft.model)
    (bias,) = [tensor for tensor in model.graph.initializer if tensor.name == "last_bias"]
    bias.CopyFrom(onnx.numpy_helper.from_array(change(onnx.numpy_helper.to_array(bias)), bias.name))
    return write_draft(model, draft.spec, draft.path.parent, draft.facts)


def test_a_draft_is_a_file_that_holds_its_spec_but_for_hash_and_proof(fp32, tmp_path):
    spec = replace(fp32.spec, proof={"old": 1}, sha256="0" * 64)
    draft = write_draft(fp32.model, spec, tmp_path, {"meant_for": "nobody"})
    assert draft.path == tmp_path / "tiny.onnx"
    assert draft.spec == replace(spec, sha256=sha256_of(draft.path))
    inside = json.loads(onnx_metadata(draft.path)[METADATA_KEY])
    assert "sha256" not in inside
    assert inside.get("proof", {}) == {}
    assert inside["threshold"] == spec.threshold
    assert [path.name for path in tmp_path.glob("*.json")] == []


def test_the_same_draft_has_the_same_bytes(fp32, tmp_path):
    first = fp32.path.read_bytes()
    write_draft(fp32.model, fp32.spec, tmp_path, fp32.facts)
    assert fp32.path.read_bytes() == first


def test_a_graph_that_engines_do_not_accept_is_not_written(fp32, tmp_path):
    model = copy.deepcopy(fp32.model)
    model.graph.node[0].op_type = "Gelu"
    with pytest.raises(ModelError, match="the graph contains Gelu"):
        write_draft(model, replace(fp32.spec, file="spoiled.onnx"), tmp_path, {})
    assert not (tmp_path / "spoiled.onnx").exists()


def test_a_draft_is_opened_by_onnx_runtime(fp32):
    with open_draft(fp32) as adapter:
        assert isinstance(adapter, OnnxRuntimeAdapter)


def test_int8_for_openvino_is_opened_by_it_where_it_is(maker, monkeypatch):
    pytest.importorskip("openvino")
    draft = maker.int8("int8-openvino")
    with open_draft(draft) as adapter:
        assert isinstance(adapter, OpenVinoAdapter)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with open_draft(draft) as adapter:
        assert isinstance(adapter, OnnxRuntimeAdapter)


@pytest.mark.parametrize("form", ["int8", "int8-onnxruntime"])
def test_other_int8_is_opened_by_onnx_runtime(maker, form):
    with open_draft(maker.int8(form)) as adapter:
        assert isinstance(adapter, OnnxRuntimeAdapter)


def test_bf16_is_opened_by_openvino_and_by_nothing_else(fp32, monkeypatch):
    opened = []
    monkeypatch.setattr(drafts, "OpenVinoAdapter", lambda path, spec: opened.append((path, spec)))
    monkeypatch.setattr(drafts.importlib.util, "find_spec", lambda name: None)
    draft = replace(fp32, facts={"meant_for": MEANT_FOR["bf16"]})
    open_draft(draft)
    assert opened == [(draft.path, draft.spec)]


def test_the_proof_pack_holds_the_images_and_fp32s_maps(prover, fp32, tmp_path):
    sha256 = prover.write_pack(tmp_path / "tiny-proof")
    spec = replace(fp32.spec, proof={"pack_sha256": sha256})
    images = read_pack(tmp_path / "tiny-proof", spec).images
    assert [image.name for image in images] == [image.name for image in prover.pack]
    for image, made in zip(images, prover.pack, strict=True):
        np.testing.assert_array_equal(image.pixels, made.pixels)
        np.testing.assert_allclose(image.expected, made.expected, atol=1e-4)


def test_fp32_keeps_its_threshold_and_is_held_to_noise(prover, fp32):
    (proven,) = prover.prove([fp32], "1" * 64)
    proof = proven.spec.proof
    assert proven.spec.threshold == fp32.spec.threshold
    assert proven.path == fp32.path
    assert proof["pack_sha256"] == "1" * 64
    assert proof["meant_for"] == MEANT_FOR["fp32"]
    assert proof["reference_threshold"] == fp32.spec.threshold
    assert proof["reference"].startswith("ONNX Runtime")
    assert proof["candidate"].startswith("ONNX Runtime")
    assert proof["noise"]["max_abs_difference"] <= 1e-4
    assert proof["proof_pack"]["images"] == 1
    assert proof["proof_pack"]["max_abs_difference"] <= 1e-4
    assert proof["proof_pack"]["map_dice"] == 1.0
    assert proven.spec.scores == {}


def test_fp32_that_is_far_from_its_source_is_refused(prover, fp32):
    with pytest.raises(ParityError) as caught:
        prover.prove([altered(fp32, lambda bias: bias + 1)], "1" * 64)
    message = str(caught.value)
    assert message.startswith("the exported model's probabilities differ from the trained one's by up to 0.")
    assert "Nothing was written" in message
    assert "1e-04" in message or "0.0001" in message


def test_a_model_that_gives_nan_is_refused(prover, maker):
    draft = altered(maker.int8("int8-onnxruntime"), lambda bias: bias * np.float32("nan"))
    with pytest.raises(ParityError, match="returns NaN or infinity"):
        prover.prove([draft], "1" * 64)


def test_a_lossy_precisions_threshold_is_refitted_and_stands_in_the_file(prover, fp32, said):
    draft = replace(fp32, spec=replace(fp32.spec, precision="bf16"))
    draft = altered(draft, lambda bias: bias - np.float32(0.5))  # all probabilities are smaller
    (proven,) = prover.prove([draft], "1" * 64)
    assert proven.spec.threshold < fp32.spec.threshold - 0.05
    assert json.loads(onnx_metadata(proven.path)[METADATA_KEY])["threshold"] == proven.spec.threshold
    assert proven.spec.sha256 == sha256_of(proven.path)
    assert proven.spec.proof["proof_pack"]["map_dice"] > 0.9
    assert "noise" not in proven.spec.proof
    assert f"refit thresholds ... {proven.spec.threshold:.3f}; " in said.getvalue()


def test_the_rule_of_maps_own_thresholds_moves_with_the_threshold(fp32):
    spec = replace(fp32.spec, threshold=0.5, map_threshold=MapThreshold(2.0, 0.25))
    moved = with_threshold(spec, 0.3)
    assert moved.threshold == 0.3
    assert moved.map_threshold.slope == 2.0
    logits = np.linspace(-3, 3, 7)
    shifted = logits + np.log(0.3 / 0.7)  # probabilities of which 0.3 stands for 0.5
    np.testing.assert_allclose(2.0 * shifted + moved.map_threshold.offset, 2.0 * logits + 0.25)
    assert with_threshold(replace(spec, map_threshold=None), 0.3).map_threshold is None


def test_thresholds_are_refitted_on_the_images_to_calibrate_with(tiny, fp32, dataset, steps, short_pack):
    folder = ImageFolder(dataset, "training")
    draft = replace(fp32, spec=replace(fp32.spec, precision="fp16"))
    draft = altered(draft, lambda bias: bias - np.float32(0.5))
    with OnnxRuntimeAdapter(tiny, ModelSpec.load(spec_path(tiny)), threads=1) as reference:
        prover = Prover(reference, fp32.spec, folder, None, steps)
        (proven,) = prover.prove([draft], "1" * 64)
        with open_draft(proven) as candidate:
            (found,), _ = measure(folder.without_truth(), fp32.spec, reference, [candidate])
    assert proven.spec.threshold == found.agreement.best_threshold()


def test_images_to_verify_on_are_a_record_of_their_own(tiny, fp32, dataset, steps, short_pack):
    with OnnxRuntimeAdapter(tiny, ModelSpec.load(spec_path(tiny)), threads=1) as reference:
        prover = Prover(reference, fp32.spec, None, ImageFolder(dataset, "test"), steps)
        (proven,) = prover.prove([fp32], "1" * 64)
    proof = proven.spec.proof
    assert (proof["proof_pack"]["images"], proof["verify"]["images"]) == (1, 4)
    assert proven.spec.scores == {
        "region": "inside the FOV, native size, pooled",
        "images": 4,
        **proof["verify"]["scores"],
    }
    assert proof["verify"]["reference_scores"] == pytest.approx(proof["verify"]["scores"])


def test_the_cost_of_a_draft_is_its_mean_difference_from_fp32(prover, fp32):
    assert prover.cost(fp32) == pytest.approx(0.0, abs=1e-6)
    small, large = (
        prover.cost(altered(fp32, lambda bias, by=by: bias + np.float32(by))) for by in (0.1, 0.5)
    )
    assert 0.001 < small < large < 0.2
