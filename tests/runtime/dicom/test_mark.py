import pytest
from dicom_sources import as_file, drawn_source
from pydicom.uid import ImplicitVRLittleEndian

from retinagan.runtime.dicom.mark import (
    HEAD,
    IMPLEMENTATION_CLASS_UID,
    PRODUCT,
    is_own_file,
    is_own_object,
)


def test_a_file_of_ours_is_recognised_by_what_wrote_it():
    made = drawn_source()
    assert not is_own_file(as_file(made)[:HEAD])
    made.file_meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    made.file_meta.ImplementationVersionName = "ANOTHER"
    assert is_own_file(as_file(made)[:HEAD])
    assert is_own_object(as_file(made)[:HEAD])


@pytest.mark.parametrize("implicit", [True, False])
def test_an_object_of_ours_is_recognised_in_the_file_of_an_archive(implicit):
    made = drawn_source()
    made.Manufacturer = PRODUCT
    if implicit:
        made.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    assert is_own_object(as_file(made)[:HEAD])
    assert not is_own_file(as_file(made)[:HEAD])


@pytest.mark.parametrize("head", [b"", b"DICM", b"\0" * 128 + b"DICM", IMPLEMENTATION_CLASS_UID.encode() * 9])
def test_other_bytes_are_not_ours(head):
    assert not is_own_file(head)
    assert not is_own_object(head)


def test_another_maker_s_name_that_begins_alike_is_not_ours():
    made = drawn_source()
    made.Manufacturer = PRODUCT + "ICS Ltd"
    assert not is_own_object(as_file(made)[:HEAD])
