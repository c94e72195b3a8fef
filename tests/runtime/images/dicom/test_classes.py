import sys

import numpy as np
import pytest
from dicom_files import OPHTHALMIC_8, SECONDARY_CAPTURE, dicom_file

from retinagan.runtime.images.dicom.classes import (
    DIRECTORY,
    HEAD_BYTES,
    OTHERS,
    READ,
    WIDE_FIELD,
    as_uid,
    class_name,
    class_uid,
    file_meta,
    is_dicom,
    is_photograph,
)

PIXELS = np.zeros((4, 5), np.uint8)
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
CT = "1.2.840.10008.5.1.4.1.1.2"


def test_the_names_are_those_of_the_standard():
    from pydicom.uid import UID

    for uid, name in {**READ, **WIDE_FIELD, **OTHERS}.items():
        assert uid == DIRECTORY or UID(uid).name == name


def test_a_dicom_file_is_known_by_its_prefix():
    data = dicom_file(PIXELS)
    assert is_dicom(data)
    assert not is_dicom(data[1:])
    assert not is_dicom(b"")
    assert not is_dicom(b"DICM")


@pytest.mark.parametrize("uid", [OPHTHALMIC_8, SECONDARY_CAPTURE, CT])
def test_the_class_is_read_from_the_head_alone(uid):
    data = dicom_file(PIXELS, SOPClassUID=uid)
    assert class_uid(data[:HEAD_BYTES]) == uid
    assert class_uid(data[:140]) == ""
    assert file_meta(data)[0][0x0002].rstrip(b"\0").decode() == uid
    assert data[file_meta(data)[1] :][:2] == b"\x08\x00"


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT])
def test_data_sets_without_a_preamble_are_known_by_their_class(syntax):
    data = dicom_file(PIXELS, syntax=syntax)
    end = file_meta(data)[1]
    for bare in (data[132:], data[end:]):
        assert is_dicom(bare[:HEAD_BYTES])
        assert class_uid(bare[:HEAD_BYTES]) == OPHTHALMIC_8
    assert not is_dicom(data[end:].replace(b"1.2.840.10008", b"Eyre^Jane.abc"))
    assert not is_dicom(b"\x08\0" + bytes(2000))


def test_what_is_written_for_a_uid_is_not_believed():
    assert as_uid(b"1.2.3\0") == "1.2.3"
    assert as_uid(b"Eyre^Jane") == ""
    assert as_uid(b"") == ""
    assert as_uid(b"1" * 65) == ""


def test_other_classes_have_the_names_of_pydicom_or_their_uid(monkeypatch):
    assert class_name(CT) == "CT Image Storage"
    assert class_name("1.2.3") == "1.2.3"
    assert class_name("") == "an unknown class"
    monkeypatch.setitem(sys.modules, "pydicom.uid", None)
    assert class_name(CT) == CT
    assert class_name("") == "an unknown class"
    assert class_name(OPHTHALMIC_8) == "Ophthalmic Photography 8 Bit Image Storage"


def test_refused_photographs_and_unknown_objects_are_looked_into():
    assert all(map(is_photograph, [*READ, *WIDE_FIELD, ""]))
    assert not any(map(is_photograph, [*OTHERS, CT]))
