import pytest
from dicom_sources import drawn_source, reread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from retinagan.runtime.dicom.elements import (
    element_of,
    item,
    numbers,
    put,
    text,
    valid_text,
    values_of,
    whole_number,
)


def damaged() -> Dataset:
    """Return attributes whose values are no numbers, as read from a file."""
    made = drawn_source()
    put(made, PatientWeight="70", InstanceNumber="2", PixelSpacing=["1", "1"])
    for keyword, value in (("PatientWeight", "70kg"), ("InstanceNumber", "one"), ("PixelSpacing", "wide")):
        made[keyword] = DataElement(keyword, made[keyword].VR, value, already_converted=True)
    return reread(made)


def test_invalid_values_are_set_without_a_word():
    made = put(Dataset(), StudyInstanceUID="no UID", PatientSex="unknown to all")
    assert (made.StudyInstanceUID, made.PatientSex) == ("no UID", "unknown to all")
    assert item(PatientID="1").PatientID == "1"


def test_damaged_numbers_are_read_as_their_text():
    content = damaged()
    assert element_of(content, "PatientWeight").value == "70kg"
    assert text(content, "InstanceNumber") == "one"
    assert whole_number(content, "InstanceNumber") is None
    assert numbers(content, "PixelSpacing") == []


def test_what_is_absent_or_empty_has_no_values():
    made = Dataset()
    made.PatientID = ""
    made.StudyID = None
    for keyword in ("PatientID", "StudyID", "PatientName"):
        assert values_of(made, keyword) == []
        assert text(made, keyword) == ""
    assert element_of(made, "PatientName") is None


def test_several_values_are_no_text():
    made = Dataset()
    made.ImageType = ["A", "B"]
    assert values_of(made, "ImageType") == ["A", "B"]
    assert text(made, "ImageType") == ""


@pytest.mark.parametrize(("value", "number"), [("7", 7), ("-1", None), ("2147483648", None), ("", None)])
def test_whole_numbers_fit_their_kind(value, number):
    assert whole_number(item(SeriesNumber=value or None), "SeriesNumber") == number


@pytest.mark.parametrize(
    ("keyword", "value", "expected", "valid"),
    [
        ("AcquisitionDate", "20240305", "", "20240305"),
        ("AcquisitionDate", "5.3.2024", "", ""),
        ("BurnedInAnnotation", "NO", "YES NO", "NO"),
        ("BurnedInAnnotation", "MAYBE", "YES NO", ""),
        ("FrameOfReferenceUID", "1.2.x", "", ""),
    ],
)
def test_valid_text_is_what_the_standard_allows(keyword, value, expected, valid):
    assert valid_text(item(**{keyword: value}), keyword, expected) == valid


def test_nothing_of_a_value_is_logged_or_warned_of(caplog):
    made = put(
        drawn_source(), PatientBirthDate="Smith, John", AccessionNumber="Smith" * 20, StudyID="Smith\\2"
    )
    content = reread(made)
    caplog.clear()
    for keyword in ("PatientBirthDate", "StudyID", "PatientName"):
        element_of(content, keyword)
        valid_text(content, keyword)
    assert caplog.text == ""
