import argparse

import pytest

from retinagan.train.data.description import DataError, Description
from retinagan.train.data.given import Given, named_angle, named_text

FOLDERS = ("CHASE_DB1", "FIVES")


def test_each_folder_gets_what_is_stated_about_it():
    given = Given([("FIVES", 50.0)], [("CHASE_DB1", "a_*,b")], ["CC BY 4.0", "FIVES=mine"])
    assert given.of(FOLDERS) == {
        "CHASE_DB1": Description(terms="CC BY 4.0", test=("a_*", "b")),
        "FIVES": Description(terms="mine", field_of_view=50.0),
    }


def test_a_sentence_with_an_equals_sign_is_for_all_folders():
    assert Given(terms=["see https://a.org/?a=b"]).of(["FIVES"])["FIVES"].terms == "see https://a.org/?a=b"


@pytest.mark.parametrize(
    ("given", "option"),
    [
        (Given([("FIVE", 50.0)]), "--field-of-view"),
        (Given(test_images=[("FIVE", "a")]), "--test-images"),
        (Given(terms=["FIVE=CC BY 4.0"]), "--terms"),
    ],
)
def test_a_name_that_is_no_folder_is_an_error(given, option):
    with pytest.raises(DataError) as raised:
        given.of(FOLDERS)
    assert str(raised.value) == (
        f"{option} FIVE=...: no folder of --data has this name; its folders: CHASE_DB1, FIVES"
    )


def test_an_angle_out_of_range_is_an_error():
    with pytest.raises(DataError, match=r"--field-of-view FIVES: got 400, expected 10 to 220 degrees"):
        Given([("FIVES", 400.0)]).of(FOLDERS)


def test_arguments_by_name():
    assert named_text("HRF=01_* ") == ("HRF", "01_*")
    assert named_angle("HRF=60") == ("HRF", 60.0)


@pytest.mark.parametrize("text", ["HRF", "=60", "HRF= "])
def test_an_argument_without_name_or_value_is_an_error(text):
    with pytest.raises(argparse.ArgumentTypeError, match="expected NAME=VALUE, where NAME is a dataset"):
        named_text(text)


@pytest.mark.parametrize(
    ("text", "such"), [("30", "NAME=45"), ("=60", "NAME=45"), ("HRF=", "HRF=45"), ("HRF=wide", "HRF=45")]
)
def test_an_angle_without_a_folder_or_a_number_is_an_error(text, such):
    message = f"got '{text}', expected the name of a dataset folder and degrees, such as {such}"
    with pytest.raises(argparse.ArgumentTypeError, match=message):
        named_angle(text)
