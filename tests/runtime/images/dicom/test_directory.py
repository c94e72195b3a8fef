import os

import numpy as np
import pydicom
import pytest
from dicom_files import OPHTHALMIC_8, dicom_dataset, write_medium

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.dicom import directory as module
from retinagan.runtime.images.dicom.directory import listed_files

PIXELS = np.zeros((40, 50), np.uint8)
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"


@pytest.fixture
def medium(tmp_path):
    """A DICOMDIR of two photographs."""
    return write_medium(tmp_path / "cd", [dicom_dataset(PIXELS), dicom_dataset(PIXELS)])


def edited(medium, change):
    data = pydicom.dcmread(medium)
    for record in data.DirectoryRecordSequence:
        if "ReferencedFileID" in record:
            change(record)
            break
    data.save_as(medium)


def test_the_files_are_those_that_are_listed(medium):
    found = listed_files(str(medium))
    assert [reference.class_uid for reference in found] == [OPHTHALMIC_8] * 2
    assert len({reference.path for reference in found}) == 2
    assert all(os.path.isfile(reference.path) for reference in found)  # noqa: PTH113


def test_names_are_found_in_lower_case(medium):
    upper = [path for path in sorted(medium.parent.rglob("*"), reverse=True) if path != medium]
    for path in upper:
        path.rename(path.with_name(path.name.lower()))
    found = listed_files(str(medium))
    assert all(os.path.isfile(reference.path) for reference in found)  # noqa: PTH113
    assert found[0].path.endswith("pt000000/st000000/se000000/im000000")


def test_a_file_that_is_gone_is_listed_all_the_same(medium):
    first = listed_files(str(medium))[0].path
    os.remove(first)  # noqa: PTH107
    assert listed_files(str(medium))[0].path == first


def test_a_file_that_was_taken_out_is_not(medium):
    edited(medium, lambda record: setattr(record, "RecordInUseFlag", 0))
    assert len(listed_files(str(medium))) == 1


@pytest.mark.parametrize("name", ["..\\SECRET", "/etc/passwd", "A\\\\B", "."])
def test_names_outside_the_folder_are_refused(medium, name):
    whole = medium.read_bytes()
    start = whole.index(b"PT000000")
    end = whole.index(b"IM000000", start) + 8
    medium.write_bytes(whole[:start] + name.encode().ljust(end - start, b" ") + whole[end:])
    with pytest.raises(ImageError) as caught:
        listed_files(str(medium))
    assert str(caught.value) == "the DICOMDIR names a file outside its folder; name the folder instead"


def test_a_dicomdir_that_cannot_be_read(medium, monkeypatch):
    with pytest.raises(ImageError, match=r"the DICOMDIR cannot be read \(No such file or directory\)"):
        listed_files(str(medium) + "2")
    monkeypatch.setattr(module, "_MOST_BYTES", 1 << 10)
    with pytest.raises(ImageError, match="the DICOMDIR is larger than 0 MiB; name the folder instead"):
        listed_files(str(medium))


def test_a_damaged_dicomdir(medium):
    whole = medium.read_bytes()
    start = whole.index(b"\x04\x00\x20\x12SQ")
    medium.write_bytes(whole[: start + 20] + b"\xff" * 8 + whole[start + 28 :])
    with pytest.raises(ImageError, match="the DICOMDIR is damaged; name the folder instead"):
        listed_files(str(medium))


@pytest.mark.parametrize("share", [0.4, 0.8, 0.99])
def test_a_truncated_dicomdir(medium, share):
    whole = medium.read_bytes()
    medium.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ImageError, match=r"^(truncated \(within a sequence|the DICOMDIR is damaged; name)"):
        listed_files(str(medium))


def test_one_that_lists_nothing_lists_nothing(tmp_path):
    assert listed_files(str(write_medium(tmp_path, []))) == []
