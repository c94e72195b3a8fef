import json

import pytest
from tiny_model import tiny_spec, write_tiny_model

from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.about import about
from retinagan.runtime.model.bundled import bundled_models
from retinagan.runtime.model.spec import spec_path

TRAINING = {
    "terms": "CC BY 4.0",
    "data": "A, B",
    "datasets": [
        {"name": "A", "folder": "a", "terms": "CC BY 4.0", "citation": "Who et al., 2012"},
        {"folder": "b"},
    ],
}


def write(tmp_path, training):
    return write_tiny_model(tmp_path, tiny_spec(training=training))


def test_terms_and_citations_are_told(tmp_path):
    path = write(tmp_path, TRAINING)
    digest = json.loads(spec_path(path).read_text())["sha256"]
    assert list(about(path)) == [
        f"model tiny, fp32, SHA-256 {digest}",
        "terms of its weights: CC BY 4.0",
        "learned from A, CC BY 4.0: Who et al., 2012",
        "learned from b",
    ]


def test_a_lone_file_is_described_by_its_metadata(tmp_path):
    path = write(tmp_path, TRAINING)
    spec_path(path).unlink()
    assert list(about(path))[:2] == ["model tiny, fp32", "terms of its weights: CC BY 4.0"]


def test_what_is_not_recorded_is_not_known(tmp_path):
    assert list(about(write(tmp_path, {})))[1:] == ["terms of its weights: not known"]


def test_a_file_that_was_changed_is_not_described(tmp_path):
    path = write(tmp_path, TRAINING)
    with path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelError, match="SHA-256"):
        list(about(path))


def test_a_file_without_spec_is_an_error(tmp_path):
    path = tmp_path / "empty.onnx"
    path.write_bytes(b"")
    with pytest.raises(
        ModelError, match=r"no spec, neither empty\.onnx\.json beside it nor in the file|empty"
    ):
        list(about(path))


@pytest.mark.parametrize("name", bundled_models())
def test_bundled_models_state_their_terms_and_whom_to_name(name):
    lines = list(about(name))
    assert lines[0].startswith(f"model {name}, fp32, SHA-256 ")
    assert "not known" not in lines[1]
    assert len(lines) > 2
    for line in lines[2:]:
        assert any(year in line for year in ("2004", "2012", "2013", "2022")), line
