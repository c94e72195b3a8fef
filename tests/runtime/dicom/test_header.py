import numpy as np
import pytest
from dicom_sources import SOURCES, as_file, drawn_source

from retinagan.runtime.dicom.algorithm import Algorithm
from retinagan.runtime.dicom.header import read_source
from retinagan.runtime.dicom.segmentation import vessel_segmentation
from retinagan.runtime.errors import ImageError


@pytest.mark.parametrize("name", SOURCES)
def test_the_object_is_the_same_from_the_file(name, tmp_path):
    made = SOURCES[name]()
    path = tmp_path / "image"
    path.write_bytes(as_file(made))
    source, algorithm = read_source(path), Algorithm("retina-gan", "", "1", 0.5)
    assert "PixelData" not in source.header
    segmentation = vessel_segmentation(source, np.zeros((90, 101), bool), algorithm)
    assert str(segmentation.PatientName or "") == made.get("PatientName", "")
    assert source.sop_instance == made.SOPInstanceUID


def test_a_data_set_without_preamble_is_read(tmp_path):
    path = tmp_path / "image"
    path.write_bytes(as_file(drawn_source())[132:])
    assert read_source(path).sop_instance == drawn_source().SOPInstanceUID


def test_a_file_that_is_gone_is_said(tmp_path):
    with pytest.raises(ImageError, match="header cannot be repeated in a result"):
        read_source(tmp_path / "gone")


@pytest.mark.filterwarnings("ignore")  # of pydicom, about what it finds damaged
def test_a_damaged_header_is_the_file_s_fault(tmp_path):
    content = bytearray(as_file(drawn_source()))
    random = np.random.default_rng(5)
    path = tmp_path / "image.dcm"
    refused = 0
    for _ in range(60):
        damaged = content.copy()
        for place in random.integers(128, 2200, 6):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged)
        try:
            source = read_source(path)
            made = vessel_segmentation(source, np.zeros((90, 101), bool), Algorithm("m", "", "1", 0.5))
            as_file(made)
        except ImageError:
            refused += 1
    assert 0 < refused < 60
