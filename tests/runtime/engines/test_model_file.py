import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_model import tiny_graph, tiny_spec, write_tiny_model

from retinagan.runtime.engines.model_file import check_graph, checked_spec, checked_threads, one_line
from retinagan.runtime.errors import ModelError, OptionError
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.model.verification import UnverifiedModelWarning, sha256_of

INPUTS = {("image", "float32", 4), ("roi", "float32", 4)}
OUTPUTS = {("probability", "float32", 4)}


def test_a_spec_that_fits_the_file_is_given_back(tmp_path):
    path = write_tiny_model(tmp_path)
    spec = ModelSpec.load(spec_path(path))
    assert checked_spec(path, spec) is spec


def test_a_file_that_is_not_what_its_spec_says(tmp_path):
    path = write_tiny_model(tmp_path)
    spec = replace(ModelSpec.load(spec_path(path)), sha256="0" * 64)
    with pytest.raises(
        ModelError, match=r"tiny\.onnx: SHA-256 is [0-9a-f]{12}\.\.\., its spec says 000000000000"
    ):
        checked_spec(path, spec)


def test_a_lone_file_is_taken_by_its_own_metadata_with_a_warning(tmp_path):
    path = write_tiny_model(tmp_path)
    beside = ModelSpec.load(spec_path(path))
    with pytest.warns(UnverifiedModelWarning, match=r"tiny\.onnx is not verified: tiny\.onnx\.json is not"):
        spec = checked_spec(path, None)
    assert spec == beside
    assert spec.sha256 == sha256_of(path)


def test_a_lone_file_without_a_spec_inside(tmp_path):
    path = tmp_path / "plain.onnx"
    path.write_bytes(tiny_graph().SerializeToString())
    with pytest.raises(ModelError) as caught:
        checked_spec(path, None)
    assert str(caught.value) == (
        f"{path}: no spec, neither plain.onnx.json beside it nor in the file: export it with retina-export"
    )


def test_a_lone_file_with_a_broken_spec_inside(tmp_path):
    path = write_tiny_model(tmp_path, metadata='{"format": 1}')
    with pytest.raises(ModelError, match=r"tiny\.onnx, metadata: "):
        checked_spec(path, None)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match=r"gone\.onnx"):
        checked_spec(tmp_path / "gone.onnx", tiny_spec(sha256="0" * 64))


def test_a_vessel_model_passes():
    assert check_graph(Path("a.onnx"), INPUTS, OUTPUTS) is None


@pytest.mark.parametrize(
    ("inputs", "outputs", "names"),
    [
        (set(), OUTPUTS, "none"),
        ({("image", "float32", 4)}, OUTPUTS, "image"),
        (INPUTS | {("age", "float32", 1)}, OUTPUTS, "age, image, roi"),
        ({("image", "float16", 4), ("roi", "float32", 4)}, OUTPUTS, "image, roi"),
        ({("image", "float32", 3), ("roi", "float32", 4)}, OUTPUTS, "image, roi"),
        (INPUTS, {("logit", "float32", 4)}, "image, roi"),
        (INPUTS, OUTPUTS | {("features", "float32", 4)}, "image, roi"),
    ],
)
def test_another_graph_is_refused(inputs, outputs, names):
    message = f"a.onnx: its inputs are {names}; a vessel model has image and roi, (N, 3 or 1, height, width) "
    with pytest.raises(ModelError, match=re.escape(message)):
        check_graph(Path("a.onnx"), inputs, outputs)


@pytest.mark.parametrize(("threads", "number"), [(None, 0), (1, 1), (64, 64), (np.int64(3), 3)])
def test_numbers_of_threads(threads, number):
    checked = checked_threads(threads)
    assert checked == number
    assert type(checked) is int


@pytest.mark.parametrize("threads", [0, -1, 1.0, True, "4", [2]])
def test_what_is_no_number_of_threads(threads):
    with pytest.raises(OptionError) as caught:
        checked_threads(threads)
    assert str(caught.value) == (
        f"threads: got {threads!r}; expected a whole number from 1; leave it out for all cores"
    )


def test_an_exception_in_one_short_line():
    assert one_line(ValueError("a\n  b\tc")) == "a b c"
    assert one_line(ValueError("x" * 200)) == "x" * 200
    long = one_line(ValueError("x" * 201))
    assert len(long) == 200
    assert long.endswith("x...")
