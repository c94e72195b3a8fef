import pytest
from dicom_sources import as_file, drawn_source

from retinagan.runtime.dicom.mark import HEAD, IMPLEMENTATION_CLASS_UID, is_own_object


def test_a_file_of_ours_is_recognised_by_what_wrote_it():
    made = drawn_source()
    assert not is_own_object(as_file(made)[:HEAD])
    made.file_meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    made.file_meta.ImplementationVersionName = "ANOTHER"
    assert is_own_object(as_file(made)[:HEAD])


@pytest.mark.parametrize("head", [b"", b"DICM", b"\0" * 128 + b"DICM", IMPLEMENTATION_CLASS_UID.encode() * 9])
def test_other_bytes_are_not_ours(head):
    assert not is_own_object(head)
