import json

import pytest

from retinagan.train.data.description import DataError, Description, read_description


def written(folder, values):
    text = values if isinstance(values, str) else json.dumps(values)
    (folder / "dataset.json").write_text(text)
    return folder


def test_without_a_file_nothing_is_known(tmp_path):
    assert read_description(tmp_path) == Description()


def test_all_that_can_be_said_is_read(tmp_path):
    values = {
        "name": "Mine",
        "field_of_view": 50,
        "terms": " CC BY 4.0 ",
        "exceptions": {"wide_*": 60, "odd": {"field_of_view": 35.5}},
        "test": ["01_*"],
    }
    found = read_description(written(tmp_path, values))
    assert (found.name, found.field_of_view, found.terms) == ("Mine", 50.0, "CC BY 4.0")
    assert [found.angle_of(name) for name in ("wide_1", "odd", "other")] == [60.0, 35.5, 50.0]
    assert found.tests_with("01_h")
    assert not found.tests_with("11_h")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("{", "not a JSON file that can be read"),
        (
            "[1]",
            "expected a JSON object with the keys name, field_of_view, terms, citation, exceptions, test",
        ),
        ({"fov": 3}, "unknown key 'fov'; expected name, field_of_view"),
        ({"field_of_view": "45"}, "field_of_view: got '45', expected a number of degrees"),
        ({"field_of_view": True}, "field_of_view: got 'True', expected a number of degrees"),
        ({"field_of_view": 4}, "field_of_view: got 4, expected 10 to 220 degrees"),
        ({"field_of_view": float("nan")}, "field_of_view: got nan, expected 10 to 220 degrees"),
        ({"exceptions": {"a": "wide"}}, "exceptions: a: got 'wide', expected a number of degrees"),
        ({"exceptions": 3}, "exceptions: got '3', expected an object of image names and degrees"),
        ({"terms": 3}, "terms: got '3', expected a text"),
        ({"test": "01_*"}, "test: got '01_.*', expected a list of image names or patterns"),
        ({"test": [3]}, "test: expected a list of image names or patterns"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, values, message):
    with pytest.raises(DataError, match=f"dataset.json: {message}"):
        read_description(written(tmp_path, values))
