import io
import struct
import sys
import zlib

import numpy as np
import pydicom
import pytest
from dicom_files import PATIENT, dicom_dataset, dicom_file, written
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.dicom import elements as module
from retinagan.runtime.images.dicom.elements import DEFLATED, NATIVE, Elements
from retinagan.runtime.images.dicom.header import WANTED

PIXELS = np.arange(20, dtype=np.uint8).reshape(4, 5)
ROWS, SPACING, LATERALITY, ANGLE = 0x00280010, 0x00280030, 0x00200062, 0x0022000C
MOST = 1 << 20


def opened(data, most=MOST):
    return Elements(data, WANTED, most)


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
)
def test_values_and_pixels_are_read_in_every_encoding(syntax):
    elements = opened(dicom_file(PIXELS, syntax=syntax))
    assert elements.transfer_syntax == syntax
    assert syntax in NATIVE
    assert elements.whole(ROWS, "Rows") == 4
    assert elements.numbers(SPACING) == [0.05, 0.05]
    assert elements.numbers(ANGLE) == [45]
    assert elements.code(LATERALITY) == "R"
    assert elements.pixel_data().value == PIXELS.tobytes()


def test_nothing_is_kept_of_the_patient():
    elements = opened(dicom_file(PIXELS))
    kept = repr(vars(elements)) + str(elements._dataset)
    assert not any(part in kept for part in PATIENT)


def test_a_transfer_syntax_that_is_missing_is_guessed():
    for syntax in (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian):
        data = dicom_file(PIXELS, syntax=syntax)
        end = module.file_meta(data)[1]
        assert opened(data[:132] + data[end:]).transfer_syntax == syntax


def test_a_wrong_transfer_syntax_is_found_out():
    data = dicom_file(PIXELS, syntax=ImplicitVRLittleEndian)
    wrong = data.replace(
        struct.pack("<H", 18) + b"1.2.840.10008.1.2\0", struct.pack("<H", 20) + b"1.2.840.10008.1.2.1\0"
    )
    with pytest.warns(UserWarning, match="Expected explicit VR, but found implicit VR"):
        elements = opened(wrong)
    assert elements.whole(ROWS, "Rows") == 4
    assert elements.pixel_data().value == PIXELS.tobytes()


def test_pydicom_is_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ImageError) as caught:
        opened(b"")
    assert str(caught.value) == 'DICOM needs pydicom, which is not installed: pip install "retinagan[dicom]"'


def test_an_old_pydicom_is_refused(monkeypatch):
    monkeypatch.setattr(pydicom, "__version__", "2.4.4")
    with pytest.raises(ImageError) as caught:
        opened(b"")
    assert str(caught.value) == 'DICOM needs pydicom 3 or later, found 2.4.4: pip install "retinagan[dicom]"'


def test_numbers_that_are_none():
    elements = opened(dicom_file(PIXELS))
    assert elements.numbers(0x00280002 + 0x100000) == []
    data = dicom_file(PIXELS).replace(b"0.05\\0.05", b"0.05\\Jane")
    assert opened(data).numbers(SPACING) == []
    assert opened(data).words(SPACING) == ["0.05", "Jane"]
    assert opened(dicom_file(PIXELS, ImageLaterality=None)).code(LATERALITY) == ""


def test_a_whole_number_must_be_one():
    data = dicom_dataset(PIXELS)
    del data.Rows
    with pytest.raises(ImageError) as caught:
        opened(written(data)).whole(ROWS, "Rows")
    assert str(caught.value) == "the DICOM file has no valid Rows (0028,0010); export the image again"
    assert opened(written(data)).whole(ROWS, "Rows", 7) == 7
    with pytest.raises(ImageError, match="no valid Pixel Spacing"):
        opened(written(data)).whole(SPACING, "Pixel Spacing")


def test_floating_point_pixels_are_refused():
    data = dicom_dataset(PIXELS, PixelData=None)
    data.FloatPixelData = np.zeros((4, 5), np.float32).tobytes()
    with pytest.raises(ImageError, match="floating point values; export the image with 8 or 16 bits"):
        opened(written(data)).pixel_data()
    assert opened(written(dicom_dataset(PIXELS, PixelData=None))).pixel_data() is None


def test_a_deflated_bomb_is_not_inflated():
    data = dicom_file(np.zeros((1500, 1500), np.uint8), syntax=DeflatedExplicitVRLittleEndian)
    assert len(data) < 10_000
    with pytest.raises(ImageError) as caught:
        opened(data, 2 << 20)
    assert str(caught.value) == "the DICOM data set inflates to more than 2 MiB; make it smaller"
    assert len(opened(data, 3 << 20).pixel_data().value) == 2_250_000


def test_damage_of_a_deflated_file_is_found():
    data = dicom_file(PIXELS, syntax=DEFLATED)
    with pytest.raises(ImageError, match=r"truncated \(the deflated DICOM data set ends too early\)"):
        opened(data[:-30])
    start = module.file_meta(data)[1]
    with pytest.raises(ImageError, match=r"damaged \(the deflated DICOM data set: "):
        opened(data[:start] + b"\xff" * 20 + data[start + 20 :])
    assert zlib.decompressobj(-15).decompress(data[start:])[:2] == b"\x08\x00"


def test_a_header_of_endless_elements_is_refused(monkeypatch):
    monkeypatch.setattr(module, "_MOST_READS", 500)
    end = module.file_meta(dicom_file(PIXELS))[1]
    data = dicom_file(PIXELS)
    many = b"\x09\x00\x10\x00LO\x00\x00" * 1000
    with pytest.raises(ImageError, match="the DICOM header has too many elements; export the image again"):
        opened(data[:end] + many + data[end:])


def test_the_file_is_read_from_memory():
    assert isinstance(opened(dicom_file(PIXELS))._stream, io.BytesIO)
