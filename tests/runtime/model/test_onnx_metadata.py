import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper
from tiny_model import tiny_graph

from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.onnx_metadata import onnx_metadata


@pytest.mark.parametrize("metadata", [{}, {"a": "b"}, {"a": "", "ключ": "é" * 1000, "": "x"}])
def test_it_reads_what_onnx_wrote(tmp_path, metadata):
    model = tiny_graph()
    helper.set_model_props(model, metadata)
    onnx.save(model, tmp_path / "model.onnx")
    assert onnx_metadata(tmp_path / "model.onnx") == metadata


def test_an_empty_file_has_none(tmp_path):
    (tmp_path / "model.onnx").touch()
    assert onnx_metadata(tmp_path / "model.onnx") == {}


@pytest.mark.parametrize(
    "content",
    [b"not a model", b"\xff" * 20, b"\x72\x7f", b"\x08", b"\x72\x03\x0a\x01\xff"],
    ids=["text", "endless number", "cut field", "cut number", "not UTF-8"],
)
def test_a_file_that_is_none_of_onnx(tmp_path, content):
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.onnx: not an ONNX file, or a truncated one: get it again"):
        onnx_metadata(tmp_path / "model.onnx")


def test_a_truncated_file(tmp_path):
    (tmp_path / "model.onnx").write_bytes(tiny_graph().SerializeToString()[:-20])
    with pytest.raises(ModelError, match="or a truncated one"):
        onnx_metadata(tmp_path / "model.onnx")


def test_no_file(tmp_path):
    with pytest.raises(ModelError, match=r"model\.onnx: cannot read the model file \(No such file"):
        onnx_metadata(tmp_path / "model.onnx")


@given(content=st.binary(max_size=200))
def test_any_bytes_are_metadata_or_a_model_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzzed.onnx"
    path.write_bytes(content)
    try:
        told = isinstance(onnx_metadata(path), dict)
    except ModelError as error:
        told = "not an ONNX file" in str(error)
    assert told
