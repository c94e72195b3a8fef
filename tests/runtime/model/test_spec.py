import json
import re
from dataclasses import FrozenInstanceError, fields, replace

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from tiny_model import tiny_spec

from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.parameters import (
    Confidence,
    EngineBuild,
    MapThreshold,
    NetworkInput,
    Preprocessing,
    Tiling,
)
from retinagan.runtime.model.spec import ModelSpec, spec_path

HASH = "0123456789abcdef" * 4


def full_spec() -> ModelSpec:
    return ModelSpec(
        name="retina-gan",
        file="retina-gan.engine",
        precision="fp16",
        threshold=0.37,
        sha256=HASH,
        preprocessing=Preprocessing("none", 7.5, 256),
        network_input=NetworkInput((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), 16),
        tiling=Tiling(64, 0.25),
        training={"data": "DRIVE", "images": list(range(21, 41)), "terms": "research"},
        scores={"fov": {"auc": 0.98}},
        proof={"dice": 1.0, "größter": None},
        engine=EngineBuild("tensorrt", "10.3.0", "Orin", "8.7", "linux-aarch64", (1, 4, 8), "tiny.onnx"),
    )


def changed(**keys) -> str:
    """The full spec as JSON, with dotted keys set to other values, or removed by `...`."""
    values = json.loads(full_spec().to_json())
    for dotted, value in keys.items():
        *path, last = dotted.split("__")
        target = values
        for key in path:
            target = target[key]
        if value is ...:
            del target[last]
        else:
            target[last] = value
    return json.dumps(values)


def test_a_saved_spec_is_read_back_the_same(tmp_path):
    path = tmp_path / "retina-gan.engine.json"
    full_spec().save(path)
    assert ModelSpec.load(path) == full_spec()
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_the_rule_of_maps_own_thresholds_is_read_back():
    spec = replace(full_spec(), map_threshold=MapThreshold(1.2, -0.1))
    assert ModelSpec.from_json(spec.to_json()) == spec
    assert "map_threshold" not in json.loads(full_spec().to_json())
    with pytest.raises(ModelError, match=r"map_threshold\.slope: got 0; expected a number from 0\.01 to 100"):
        ModelSpec.from_json(spec.to_json().replace("1.2", "0"))


def test_without_hash_and_engine_these_are_left_out():
    spec = replace(full_spec(), sha256="", engine=None)
    assert not {"sha256", "engine"} & set(json.loads(spec.to_json()))
    assert ModelSpec.from_json(spec.to_json()) == spec


def test_numbers_become_plain():
    spec = replace(full_spec(), threshold=np.float32(0.5), tiling=Tiling(np.int64(64), 0))
    assert type(spec.threshold) is float
    assert type(spec.tiling.patch) is int
    assert type(spec.tiling.overlap) is float
    assert ModelSpec.from_json(spec.to_json()) == spec


def test_a_spec_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        full_spec().threshold = 0.1
    data = {"a": 1}
    spec = replace(full_spec(), training=data)
    data["a"] = 2
    assert spec.training == {"a": 1}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"gamma": 1}, "gamma: unknown key; expected one of confidence, engine, file, map_threshold"),
        (
            {"preprocessing__gamma": 1},
            "preprocessing.gamma: unknown key; expected one of alpha, field_of_view, "
            "largest_magnification, method, pixels_per_degree, size_multiple, working_size",
        ),
        ({"threshold": ...}, "threshold: missing; expected a number from 0 to 1 (pixels at or above"),
        ({"preprocessing": ...}, "preprocessing: missing; expected an object of keys and values"),
        ({"preprocessing__alpha": ...}, "preprocessing.alpha: missing; expected a number from 1 to 255"),
        ({"threshold": "high"}, 'threshold: got "high"; expected a number from 0 to 1'),
        ({"threshold": True}, "threshold: got True; expected a number from 0 to 1"),
        ({"threshold": 1.01}, "threshold: got 1.01; expected a number from 0 to 1"),
        ({"threshold": None}, "threshold: got None; expected a number from 0 to 1"),
        ({"threshold": 10**400}, "threshold: got 1000"),
        ({"name": ""}, 'name: got ""; expected a string (the model\'s name)'),
        ({"name": 5}, "name: got 5; expected a string"),
        (
            {"file": "../a.onnx"},
            'file: got "../a.onnx"; expected a string (the artefact\'s file name, without',
        ),
        ({"precision": "fp64"}, 'precision: got "fp64"; expected one of "fp32", "fp16", "bf16", "int8"'),
        ({"sha256": "abc"}, 'sha256: got "abc"; expected a string (SHA-256 of the artefact, 64 hexadecimal'),
        ({"preprocessing": []}, "preprocessing: got []; expected an object of keys and values"),
        (
            {"preprocessing__method": "histogram"},
            'preprocessing.method: got "histogram"; expected one of "ace", "clahe", "none"',
        ),
        (
            {"preprocessing__working_size": 12.5},
            "preprocessing.working_size: got 12.5; expected a whole number",
        ),
        (
            {"network_input__mean": [0.5, 0.5]},
            "network_input.mean: got (0.5, 0.5); expected 3 numbers from -10",
        ),
        ({"network_input__mean": 0.5}, "network_input.mean: got 0.5; expected 3 numbers"),
        (
            {"network_input__std": [0.5, 0, 0.5]},
            "network_input.std: got (0.5, 0, 0.5); expected 3 numbers from 0.001",
        ),
        ({"tiling__overlap": 0.95}, "tiling.overlap: got 0.95; expected a number from 0 to 0.9"),
        ({"tiling__patch": 100}, "tiling.patch: got 100; expected a multiple of 16, such as 96"),
        ({"tiling__patch": 8}, "tiling.patch: got 8; expected a multiple of 16, such as 16"),
        ({"tiling__patch": 512}, "tiling.patch: got 512; expected at most the working size, 256"),
        ({"training": "DRIVE"}, 'training: got "DRIVE"; expected an object of keys and values'),
        ({"engine": 7}, "engine: got 7; expected an object of keys and values"),
        ({"engine__compute_capability": "new"}, 'engine.compute_capability: got "new"; expected a string'),
        (
            {"format": 3},
            "format: got 3, written by a newer version; this one reads up to 2: pip",
        ),
        ({"format": ...}, "format: got None; expected a number up to 2: not a model spec of retinagan"),
        ({"format": "1"}, 'format: got "1"; expected a number up to 2'),
        ({"format": [10**400]}, f"format: got [1{'0' * 55}...; expected a number up to 2"),
        ({"format": 10**400}, f"format: got 1{'0' * 56}..., written by a newer version"),
        ({"a\nkey" + "!" * 100: 1}, f"a key{'!' * 52}...: unknown key; expected one of confidence"),
        ({"training": {"a": "b" * 200}, "scores": "c" * 200}, 'scores: got "ccc'),
    ],
)
def test_an_ill_spec_names_file_key_value_and_what_is_expected(keys, message):
    with pytest.raises(ModelError, match=re.escape(f"model.onnx.json: {message}")) as raised:
        ModelSpec.from_json(changed(**keys), "model.onnx.json")
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ('{"format": 1', "Expecting ',' delimiter"),
        (b"\xff\xfe\x00", "codec can't decode"),
        ("[" * 100_000, "nested too deeply"),
        ('{"format": 1, "threshold": NaN}', "NaN is not a JSON number"),
        ('{"format": 1, "format": 1}', 'key "format" appears twice'),
        ('{"a\\nkey": 1, "a\\nkey": 1}', 'key "a key" appears twice'),
    ],
)
def test_what_is_not_json(text, reason):
    message = f"m.json: not a model spec in JSON .*{re.escape(reason)}.*; export the model again"
    with pytest.raises(ModelError, match=message):
        ModelSpec.from_json(text, "m.json")


def test_json_that_is_no_object():
    with pytest.raises(ModelError, match=r"m\.json: spec: expected a JSON object of keys and values"):
        ModelSpec.from_json("[1]", "m.json")


@pytest.mark.parametrize(
    "value", [float("nan"), np.float32(1), object()], ids=["nan", "array scalar", "object"]
)
def test_records_that_json_cannot_hold(tmp_path, value):
    spec = replace(full_spec(), scores={"auc": value})
    path = tmp_path / "model.json"
    path.write_text("old")
    with pytest.raises(ModelError, match="retina-gan: the spec's records must be JSON values without NaN"):
        spec.save(path)
    assert path.read_text() == "old"


def test_a_spec_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match=r"gone\.json: cannot read the model's spec \(No such file"):
        ModelSpec.load(tmp_path / "gone.json")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        full_spec().save(tmp_path / "gone" / "model.json")


def test_the_spec_stands_beside_its_artefact(tmp_path):
    assert spec_path(tmp_path / "retina-gan.onnx") == tmp_path / "retina-gan.onnx.json"


def test_every_field_says_what_it_is():
    for cls in (Preprocessing, NetworkInput, Tiling, EngineBuild, ModelSpec):
        for field in fields(cls):
            (rule,) = field.metadata.values()
            assert len(rule.doc.split()) > 1, field.name


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@hypothesis.settings(max_examples=150, deadline=None, derandomize=True, database=None)
@hypothesis.given(st.sampled_from(sorted(json.loads(full_spec().to_json()))), json_values)
def test_any_value_for_any_key_is_read_or_refused(key, value):
    values = json.loads(full_spec().to_json()) | {key: value}
    try:
        spec = ModelSpec.from_json(json.dumps(values))
    except ModelError:
        return
    assert ModelSpec.from_json(spec.to_json()) == spec


def test_a_spec_of_the_first_format_is_read_as_before():
    values = json.loads(tiny_spec().to_json())
    values["format"] = 1
    for key in ("pixels_per_degree", "field_of_view", "largest_magnification", "size_multiple"):
        del values["preprocessing"][key]
    assert ModelSpec.from_json(json.dumps(values)) == tiny_spec()


def test_a_density_survives_the_way_through_a_file(tmp_path):
    dense = replace(tiny_spec(), preprocessing=Preprocessing(pixels_per_degree=20.0), tiling=Tiling(None))
    dense.save(tmp_path / "spec.json")
    assert ModelSpec.load(tmp_path / "spec.json") == dense
    assert dense.usual_patch == 928


def test_squares_must_fit_the_net():
    with pytest.raises(ModelError, match=r"preprocessing\.size_multiple: got 20; expected a multiple of 8"):
        replace(
            tiny_spec(),
            preprocessing=Preprocessing(pixels_per_degree=20.0, size_multiple=20),
            network_input=NetworkInput(divisor=8),
        )


def test_the_confidence_survives_the_way_through_a_file(tmp_path):
    confidence = Confidence(
        1.5,
        2.0,
        gain=1.6,
        bias=-0.5,
        thin=-0.1,
        thin_squared=-0.05,
        distance=-0.1,
        steepness=-1.5,
        bound=0.68,
    )
    spec = replace(full_spec(), confidence=confidence)
    spec.save(tmp_path / "model.onnx.json")
    assert ModelSpec.load(tmp_path / "model.onnx.json").confidence == confidence
    assert '"confidence"' not in replace(spec, confidence=None).to_json()
