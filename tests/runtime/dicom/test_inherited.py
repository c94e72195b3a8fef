import pytest
from dicom_sources import SOURCES, drawn_source, item, reread
from pydicom.dataset import Dataset

from retinagan.runtime.dicom.elements import put
from retinagan.runtime.dicom.inherited import INHERITED, character_set, inherited


def raw_bytes(made: Dataset, keyword: str) -> bytes:
    return reread(made).get_item(keyword).value


def test_patient_and_study_are_those_of_the_source():
    made = drawn_source()
    copied = inherited(reread(made))
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge", "StudyID"):
        assert copied[keyword].value == made[keyword].value
    assert "SeriesNumber" not in copied
    assert "Manufacturer" not in copied


def test_what_must_be_there_is_empty_where_the_source_lacks_it():
    copied = inherited(SOURCES["nothing but pixels"]())
    assert {element.keyword for element in copied} == set(INHERITED[:9])
    assert all(not element.value for element in copied)


@pytest.mark.parametrize(
    ("names", "patient"),
    [
        ("ISO_IR 100", "Müller^Änne"),
        ("ISO_IR 192", "Müller^Änne=鈴木^花子"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("ISO_IR 126", "Διονυσιος"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
    ],
)
def test_texts_keep_their_bytes(names, patient):
    made = drawn_source()
    made.SpecificCharacterSet = names
    made.PatientName = patient
    made.StudyDescription = patient.split("=")[-1]
    made.ReferringPhysicianName = ""
    copied = inherited(reread(made))
    copied.file_meta = made.file_meta
    for keyword in ("PatientName", "StudyDescription", "SpecificCharacterSet"):
        assert raw_bytes(copied, keyword) == raw_bytes(made, keyword)


@pytest.mark.parametrize(
    ("declared", "text", "expected"),
    [
        (None, "Smith", []),
        (None, "Müller", ["ISO_IR 192"]),
        ("ISO_IR 100", "鈴木", ["ISO_IR 192"]),
        ("ISO_IR 100", "Müller", ["ISO_IR 100"]),
        ("latin1", "Müller", ["ISO_IR 192"]),
        ("latin1", "Smith", []),
    ],
)
def test_the_character_set_has_all_characters(declared, text, expected):
    assert character_set(put(Dataset(), SpecificCharacterSet=declared), item(PatientName=text)) == expected


def test_texts_in_sequences_count():
    made = item(RequestingServiceCodeSequence=[item(CodeMeaning="Müller")])
    assert character_set(Dataset(), made) == ["ISO_IR 192"]


def test_sequences_are_copied_without_what_is_private():
    made = drawn_source()
    inner = item(CodeValue="1", CodingSchemeDesignator="99X", CodeMeaning="Gefäß")
    inner.private_block(0x0011, "SOMEONE", create=True).add_new(1, "LO", "secret")
    made.ProcedureCodeSequence = [inner]
    copied = inherited(reread(made)).ProcedureCodeSequence[0]
    assert {element.keyword for element in copied} == {"CodeValue", "CodingSchemeDesignator", "CodeMeaning"}
    assert copied.CodeMeaning == "Gefäß"


def test_invalid_values_are_copied_as_they_are():
    made = drawn_source()
    put(made, PatientBirthDate="3.2.1951", PatientSex="woman")
    copied = inherited(reread(made))
    assert (copied["PatientBirthDate"].value, copied["PatientSex"].value) == ("3.2.1951", "woman")


def test_that_the_source_is_de_identified_stays_told():
    made = drawn_source()
    made.PatientIdentityRemoved, made.DeidentificationMethod = "YES", "dicognito"
    copied = inherited(reread(made))
    assert (copied.PatientIdentityRemoved, copied.DeidentificationMethod) == ("YES", "dicognito")
