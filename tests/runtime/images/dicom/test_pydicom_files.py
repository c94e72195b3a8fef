"""The files that pydicom is tested with: what is read is what pydicom reads, all else is refused in a line.

Those of the package pydicom-data are read where it is installed.
"""

import importlib.util
import logging
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.pixels import apply_color_lut, pixel_array
from pydicom.uid import ExplicitVRLittleEndian

from retinagan.runtime.batch.inputs import find_inputs
from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.dicom import header
from retinagan.runtime.images.dicom.classes import HEAD_BYTES, READ, class_uid, is_dicom
from retinagan.runtime.images.reading import read_image

OWN = Path(pydicom.__file__).parent / "data" / "test_files"
MOST_PIXELS = 600_000  # of larger ones, decoding takes seconds


def files_of(folder: Path) -> list[Path]:
    found = [
        path for path in sorted(folder.rglob("*")) if path.is_file() and "dicomdirtests" not in path.parts
    ]
    return [path for path in found if is_dicom(path.read_bytes()[:HEAD_BYTES])]


def more() -> Path | None:
    spec = importlib.util.find_spec("data_store")
    return None if spec is None else Path(spec.origin).parent / "data"


FILES = [*files_of(OWN), *(files_of(more()) if more() else ())]


class Every(dict):
    """All classes, so that objects of any are decoded as photographs would be."""

    def __contains__(self, uid: object) -> bool:
        return True


@pytest.fixture
def every_class(monkeypatch):
    monkeypatch.setattr(header, "READ", Every())


@pytest.fixture(autouse=True)
def quiet():
    """These files are odd on purpose, and pydicom warns of it."""
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


def as_pydicom_reads(path: Path) -> np.ndarray:
    """The first frame as pydicom gives it, with white as the largest value."""
    data = pydicom.dcmread(path, force=True)
    data.file_meta.setdefault("TransferSyntaxUID", ExplicitVRLittleEndian)
    array = pixel_array(data, index=0)
    if data.PhotometricInterpretation == "PALETTE COLOR":
        return apply_color_lut(array, data)
    if data.PhotometricInterpretation == "MONOCHROME1":
        return (1 << data.BitsStored) - 1 - array
    return array * 255 if data.BitsStored == 1 else array


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@pytest.mark.usefixtures("every_class")
def test_what_is_read_is_what_pydicom_reads(path):
    try:
        photograph = read_image(path, max_pixels=MOST_PIXELS)
    except ImageError as error:
        assert 20 < len(str(error)) < 300  # noqa: PT017 (either outcome is right)
        assert "\n" not in str(error)  # noqa: PT017
    else:
        expected = as_pydicom_reads(path)
        rounding = 1 if photograph.pixels.ndim == 3 else 0  # of YBR, which pydicom converts in floating point
        np.testing.assert_allclose(photograph.pixels.astype(int), expected, rtol=0, atol=rounding)


@pytest.mark.usefixtures("every_class")
def test_most_images_are_read():
    read = 0
    for path in FILES:
        try:
            read_image(path, max_pixels=MOST_PIXELS)
        except ImageError:
            continue
        read += 1
    assert read >= (70 if more() else 35)


def test_objects_that_are_no_photographs_are_refused_by_their_class():
    others = [path for path in FILES if class_uid(path.read_bytes()[:HEAD_BYTES]) not in READ]
    assert len(others) > 20
    for path in others:
        with pytest.raises(ImageError, match=r"is of the class .*; expected a photograph: Ophthalmic"):
            read_image(path)


def test_a_folder_of_them_gives_the_photographs():
    found = find_inputs([str(OWN)])
    names = {Path(item.path).name for item in found.inputs}
    assert {"SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_rle_2frame.dcm"} <= names
    assert "CT_small.dcm" not in names
    assert dict(found.objects)["CT Image Storage"] > 10


@pytest.mark.skipif(more() is None, reason="pydicom-data is not installed")
def test_the_files_of_pydicom_data_are_among_them():
    assert "color3d_jpeg_baseline.dcm" in {path.name for path in FILES}
