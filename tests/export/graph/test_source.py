import io
import shutil
from dataclasses import replace

import onnx
import pytest
from onnx import external_data_helper, helper
from small_checkpoint import small_generator, write_checkpoint
from tiny_model import tiny_graph, tiny_spec, write_tiny_model

from retinagan.export.graph.source import open_source, read_onnx
from retinagan.export.options import Changes
from retinagan.export.progress import StepLog
from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.parameters import MapThreshold, Tiling
from retinagan.runtime.model.spec import ModelSpec, spec_path


def opened(path, **changes):
    return open_source(path, Changes(**changes), StepLog(io.StringIO()))


def refused(path, message):
    with pytest.raises(ModelError, match=message) as raised:
        opened(path)
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)


def test_an_onnx_file_of_ours(tiny):
    source = opened(tiny)
    spec = ModelSpec.load(spec_path(tiny))
    assert source.spec == replace(spec, sha256="")
    assert all(node.name for node in source.model.graph.node)
    with source.open_reference() as reference:
        assert reference.description.startswith("ONNX Runtime ")
        assert reference.spec == spec


def test_changes_go_before_the_file(tiny):
    spec = opened(tiny, name="mine", threshold=0.3, patch=32, overlap=0.5).spec
    assert (spec.name, spec.file, spec.threshold, spec.tiling) == ("mine", "mine.onnx", 0.3, Tiling(32, 0.5))


def test_the_rule_of_maps_own_thresholds_goes_along_unless_one_is_given_for_all(tmp_path):
    rule = MapThreshold(1.2, -0.1)
    for path in (
        write_tiny_model(tmp_path, tiny_spec(map_threshold=rule)),
        write_checkpoint(tmp_path / "a.pt", small_generator(), map_threshold=rule),
    ):
        assert opened(path).spec.map_threshold == rule
        assert opened(path, threshold=0.3).spec.map_threshold is None


def test_a_lone_file_goes_by_the_spec_inside_and_says_so(tiny, tmp_path):
    lone = shutil.copy(tiny, tmp_path / "lone.onnx")
    stream = io.StringIO()
    source = open_source(lone, Changes(), StepLog(stream))
    assert source.spec == opened(tiny).spec
    assert "not verified, as lone.onnx.json is not beside it" in stream.getvalue()


def test_a_file_that_was_changed(tmp_path):
    path = write_tiny_model(tmp_path)
    path.write_bytes(path.read_bytes() + b"\x00")
    with pytest.raises(ModelError):
        opened(path)


def test_another_precision(tmp_path):
    path = write_tiny_model(tmp_path, tiny_spec(precision="int8"))
    refused(path, "this is int8; other precisions are made from the FP32 file")


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_truncated_file(tiny, tmp_path, share):
    content = tiny.read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(content[: int(share * len(content))])
    refused(path, "not an ONNX file")


def test_no_file(tmp_path):
    refused(tmp_path / "gone.onnx", "no such file; expected a checkpoint or an ONNX file")


def test_a_file_of_another_program(tmp_path):
    path = tmp_path / "other.onnx"
    onnx.save(tiny_graph(), path)
    refused(path, r"not a model of this package: no spec, neither other\.onnx\.json beside it nor inside")


def test_a_foreign_graph_under_our_spec(tmp_path):
    model = tiny_graph()
    model.graph.node[1].op_type = "Elu"
    helper.set_model_props(model, {"retinagan.spec": tiny_spec().to_json()})
    path = tmp_path / "foreign.onnx"
    onnx.save(model, path)
    with pytest.raises(ModelError, match="the graph contains Elu"):
        opened(path)


@pytest.fixture
def outside(tmp_path):
    """Give a function that writes a model whose weights lie in another file."""

    def write(location):
        model = tiny_graph()
        helper.set_model_props(model, {"retinagan.spec": tiny_spec().to_json()})
        for tensor in model.graph.initializer:
            external_data_helper.set_external_data(tensor, location)
            content = tensor.raw_data
            tensor.ClearField("raw_data")
        folder = tmp_path / "models"
        folder.mkdir()
        (folder / "weights.bin").write_bytes(content)
        (tmp_path / "secret").write_bytes(content)
        path = folder / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return write


def test_weights_in_a_missing_file(outside):
    refused(
        outside("gone.bin"), r"its weights are in 'gone\.bin', which is missing: copy it beside the model"
    )


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd"])
def test_weights_outside_the_folder_are_not_read(outside, location):
    refused(outside(location), f"its weights are in '{location}', outside its folder, and are not read")


def test_weights_in_a_short_file(outside):
    refused(outside("weights.bin"), "its weights in other files cannot be read|checker rejects")


def test_weights_in_another_file(tmp_path, tiny):
    model = onnx.load(tiny)
    path = tmp_path / "model.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (tmp_path / "weights.bin").is_file()
    read = read_onnx(path)
    assert [tensor.raw_data for tensor in read.graph.initializer] == [
        tensor.raw_data for tensor in onnx.load(tiny).graph.initializer
    ]
