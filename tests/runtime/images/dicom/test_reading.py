import subprocess
import sys

import numpy as np
import pytest
from dicom_files import PATIENT, dicom_dataset, dicom_file
from drawn_retina import drawn_retina
from PIL import Image

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.dicom.classes import file_meta
from retinagan.runtime.images.dicom.reading import dicom_frames, read_dicom
from retinagan.runtime.images.reading import read_image

RGB = drawn_retina(60, 64)[0]
MOST = 1_000_000


def read(data, frame=None):
    return read_dicom(data, MOST, 8 * MOST, frame)


def test_pixels_and_what_the_file_knows():
    photograph = read(dicom_file(RGB))
    np.testing.assert_array_equal(photograph.pixels, RGB)
    assert (photograph.bits, photograph.frame, photograph.frames) == (8, 1, 1)
    assert (photograph.field_of_view, photograph.pixel_spacing) == (45, (0.05, 0.05))
    assert photograph.laterality == "R"
    assert photograph.sop_instance_uid == dicom_dataset().SOPInstanceUID
    assert photograph.warnings == ()
    assert not any(part in repr(photograph) for part in PATIENT)


def test_the_first_of_several_frames_is_a_warning():
    frames = np.stack([RGB, RGB[::-1]])
    (warning,) = read(dicom_file(frames)).warnings
    assert warning.code == "first-of-several-frames"
    second = read(dicom_file(frames), 2)
    np.testing.assert_array_equal(second.pixels, RGB[::-1])
    assert (second.frame, second.frames, second.warnings) == (2, 2, ())
    with pytest.raises(ImageError, match="no image 3: the file holds 2 of full size"):
        read(dicom_file(frames), 3)


def test_declared_bits_count_and_16_are_doubted():
    deep = (RGB[..., 0] * np.uint16(16)).astype(np.uint16)
    photograph = read(dicom_file(deep, BitsStored=12, HighBit=11))
    assert (photograph.bits, photograph.warnings) == (12, ())
    photograph = read(dicom_file(deep))
    assert photograph.bits == 12
    assert [warning.code for warning in photograph.warnings] == ["bit-depth-guessed"]


def test_doubts_of_the_header_are_the_photographs():
    photograph = read(dicom_file(RGB, HorizontalFieldOfView=1000.0))
    assert [warning.code for warning in photograph.warnings] == ["field-of-view-implausible"]


def test_frames_are_counted():
    assert dicom_frames(dicom_file(RGB), MOST, 8 * MOST) == 1
    assert dicom_frames(dicom_file(np.stack([RGB] * 4)), MOST, 8 * MOST) == 4
    assert dicom_frames(dicom_file(np.stack([RGB] * 2), NumberOfFrames=9), MOST, 8 * MOST) == 1


def test_a_file_without_pixels():
    with pytest.raises(ImageError) as caught:
        read(dicom_file(RGB, PixelData=None))
    assert str(caught.value) == "the DICOM file has no pixels; export the image again"
    with pytest.raises(ImageError, match="scrambled"):
        read(dicom_file(RGB, PixelData=None, Manufacturer="Carl Zeiss Meditec"))


def test_size_counts_before_pixels():
    with pytest.raises(ImageError, match="expected at most 1000000"):
        read(dicom_file(RGB, Rows=60_000, Columns=60_000))


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
def test_a_data_set_without_a_preamble(tmp_path, syntax):
    data = dicom_file(RGB, syntax=syntax)
    for bare in (data[132:], data[file_meta(data)[1] :]):
        (tmp_path / "a").write_bytes(bare)
        np.testing.assert_array_equal(read_image(tmp_path / "a").pixels, RGB)


def test_pydicom_is_imported_when_the_first_dicom_file_is_met(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    (tmp_path / "a.dcm").write_bytes(dicom_file(RGB))
    code = (
        "import sys\n"
        "from retinagan.runtime import read_image\n"
        "for path in sys.argv[1:]:\n"
        "    read_image(path)\n"
        "    print('pydicom' in sys.modules)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.png"), str(tmp_path / "a.dcm")]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (finished.stdout, finished.stderr) == ("False\nTrue\n", "")
