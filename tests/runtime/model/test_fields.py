import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.fields import FieldError, check_fields, described, from_mapping, is_number, shown


@dataclass(frozen=True)
class Lens:
    angle: float = field(metadata=described("degrees", low=10, high=200))
    maker: str = field(default="", metadata=described("who made it", pattern="[a-z]*", required=False))

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class Camera:
    kind: str = field(metadata=described("how it looks", choices=("table", "hand")))
    pixels: tuple[int, int] = field(metadata=described("width and height", low=1, high=9999))
    lens: Lens = field(metadata=described("its lens"))
    gain: float | None = field(default=None, metadata=described("gain", low=0, high=8, required=False))
    notes: Mapping[str, Any] = field(default_factory=dict, metadata=described("words", required=False))

    def __post_init__(self) -> None:
        check_fields(self)


CAMERA = {"kind": "hand", "pixels": [640, 480], "lens": {"angle": 45}}


def test_numbers_are_those_of_python_and_numpy():
    assert all(map(is_number, (1, 1.5, np.float32(1), np.uint8(1), math.nan)))
    assert not any(map(is_number, ("1", None, [1], 1j)))


def test_json_becomes_dataclasses_and_tuples():
    camera = from_mapping(Camera, CAMERA | {"gain": 2, "notes": {"a": [1]}})
    assert camera == Camera("hand", (640, 480), Lens(45.0), 2.0, {"a": [1]})
    assert type(camera.lens.angle) is type(camera.gain) is float


def test_what_need_not_be_there_has_its_default():
    assert from_mapping(Camera, CAMERA) == Camera("hand", (640, 480), Lens(45.0))


def test_nothing_may_stand_for_a_value_that_can_be_none():
    assert from_mapping(Camera, CAMERA | {"gain": None}).gain is None


def test_numbers_of_other_libraries_become_plain():
    camera = Camera("hand", (np.int64(640), np.uint8(48)), Lens(np.float32(45)))
    assert [type(value) for value in (*camera.pixels, camera.lens.angle)] == [int, int, float]


def test_the_callers_mapping_is_copied():
    notes = {"a": 1}
    camera = replace(from_mapping(Camera, CAMERA), notes=notes)
    notes["a"] = 2
    assert camera.notes == {"a": 1}


@pytest.mark.parametrize(
    ("changes", "key", "message"),
    [
        ({"kind": ...}, "kind", 'missing; expected one of "table", "hand" (how it looks)'),
        ({"kind": "phone"}, "kind", 'got "phone"; expected one of "table", "hand" (how it looks)'),
        ({"kind": 5}, "kind", 'got 5; expected one of "table", "hand" (how it looks)'),
        ({"pixels": [640]}, "pixels", "got (640,); expected 2 numbers from 1 to 9999 (width and height)"),
        ({"pixels": [640, 0]}, "pixels", "got (640, 0); expected 2 numbers from 1 to 9999"),
        ({"pixels": [640, 4.5]}, "pixels", "got (640, 4.5); expected 2 numbers"),
        ({"pixels": 640}, "pixels", "got 640; expected 2 numbers"),
        ({"lens": None}, "lens", "got None; expected an object of keys and values (its lens)"),
        ({"lens": {}}, "lens.angle", "missing; expected a number from 10 to 200 (degrees)"),
        ({"lens": {"angle": 5}}, "lens.angle", "got 5; expected a number from 10 to 200 (degrees)"),
        ({"lens": {"angle": True}}, "lens.angle", "got True; expected a number from 10 to 200"),
        ({"lens": {"angle": float("nan")}}, "lens.angle", "got nan; expected a number from 10 to 200"),
        ({"lens": {"angle": 45, "maker": "A"}}, "lens.maker", 'got "A"; expected a string (who made it)'),
        ({"lens": {"angle": 45, "zoom": 1}}, "lens.zoom", "unknown key; expected one of angle, maker"),
        ({"gain": float("inf")}, "gain", "got inf; expected a number from 0 to 8 (gain)"),
        ({"notes": [1]}, "notes", "got [1]; expected an object of keys and values (words)"),
        ({"notes": {1: "a"}}, "notes", "got {1: 'a'}; expected an object of keys and values (words)"),
        ({"weight": 1}, "weight", "unknown key; expected one of gain, kind, lens, notes, pixels"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_expected(changes, key, message):
    values = {name: value for name, value in (CAMERA | changes).items() if value is not ...}
    with pytest.raises(FieldError, match=re.escape(message)) as caught:
        from_mapping(Camera, values)
    assert caught.value.key == key
    assert str(caught.value) == f"{key}: {caught.value.problem}"
    assert isinstance(caught.value, ModelError)


@pytest.mark.parametrize(("values", "got"), [([1], "[1]"), (None, "None"), ("camera", '"camera"')])
def test_what_is_no_object_at_all(values, got):
    with pytest.raises(FieldError) as caught:
        from_mapping(Camera, values)
    assert str(caught.value) == f"Camera: got {got}; expected an object of keys and values"


def test_a_number_that_no_float_holds_is_refused():
    with pytest.raises(FieldError, match=r"angle: got 1000.*\.\.\.; expected a number"):
        Lens(10**400)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\n b", '"a b"'),
        (1.5, "1.5"),
        ("x" * 58, '"' + "x" * 58 + '"'),
        ("x" * 59, '"' + "x" * 56 + "..."),
    ],
)
def test_values_are_shown_in_one_short_line(value, text):
    assert shown(value) == text
