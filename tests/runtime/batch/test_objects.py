import io
import sys
from dataclasses import replace

import numpy as np
import pytest
from dicom_sources import SOURCES, as_file, drawn_source
from PIL import Image
from pydicom import dcmread

from retinagan.runtime.batch.drawing import Scene
from retinagan.runtime.batch.objects import (
    ObjectMaker,
    _measures,
    check_dicom,
    check_objects,
    require_dicom,
    source_of,
    warnings_of,
)
from retinagan.runtime.batch.overlay import draw_overlay
from retinagan.runtime.batch.pictures import OBJECTS
from retinagan.runtime.batch.settings import Settings
from retinagan.runtime.dicom.source import Source
from retinagan.runtime.errors import ImageError, OptionError
from retinagan.runtime.images.reading import read_image
from retinagan.runtime.retina.disc import Disc
from retinagan.runtime.segmenter import Segmentation

SETTINGS = Settings("OpenVINO on CPU", "retina-gan", "ab" * 32, 0.5, 0.25, "0.3.0", "0123456789abcdef")


@pytest.fixture
def path(tmp_path):
    (tmp_path / "image.dcm").write_bytes(as_file(drawn_source()))
    return str(tmp_path / "image.dcm")


def segmentation(shape=(90, 101)) -> Segmentation:
    probability = np.random.default_rng(1).random(shape, np.float32)
    roi = np.ones(shape, bool)
    roi[:, 50:] = False
    vessels = (probability >= 0.375) & roi
    return Segmentation(probability, vessels, roi, {}, 45.0, 96, threshold=0.375)


def made(kind, path, overlay_format="jpeg", settings=SETTINGS):
    photograph = read_image(path).in_rgb8()
    maker = ObjectMaker(settings, overlay_format)
    scene = Scene(photograph, segmentation(), settings)
    return dcmread(io.BytesIO(maker.make(kind, source_of(path, photograph), scene)))


@pytest.mark.parametrize("kind", OBJECTS)
def test_every_object_names_patient_source_and_what_computed_it(kind, path):
    result, source = made(kind, path), dcmread(path)
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID"):
        assert result[keyword].value == source[keyword].value
    assert result.SoftwareVersions == "retinagan 0.3.0"
    assert result.DeviceSerialNumber == "ab" * 32
    assert source.SOPInstanceUID in str(result)


def test_the_maps_are_those_of_the_result(path):
    expected = segmentation()
    np.testing.assert_array_equal(made("dicom-seg", path).pixel_array, expected.vessels)
    levels = made("dicom-probability", path).pixel_array
    np.testing.assert_allclose(levels / 255, expected.probability, atol=0.5 / 255 + 1e-6)


def test_parameters_tell_the_scale(path):
    segment = made("dicom-seg", path).SegmentSequence[0]
    parameters = segment.SegmentationAlgorithmIdentificationSequence[0].AlgorithmParameters
    assert "field of view 45 degrees (file); working size 96 pixels; overlap 0.25" in parameters
    assert "engine OpenVINO on CPU" in parameters


def test_parameters_have_the_threshold_of_the_map(path):
    for kind in ("dicom-seg", "dicom-probability", "dicom-sr"):
        assert "probability threshold 0.375" in made(kind, path).to_json()


def test_a_png_overlay_is_exact_in_dicom_too(path):
    photograph = read_image(path).in_rgb8()
    expected = draw_overlay(photograph.pixels, segmentation().vessels, segmentation().roi)
    np.testing.assert_array_equal(made("dicom-overlay", path, "png").pixel_array, expected)
    assert made("dicom-overlay", path).file_meta.TransferSyntaxUID.name == "JPEG Baseline (Process 1)"


def test_an_overlay_says_what_its_colours_mean(path):
    plain, coloured = (
        made("dicom-overlay", path, settings=replace(SETTINGS, overlay_colour=colour))
        for colour in ("vessels", "probability")
    )
    assert plain.DerivationDescription == "Blood vessels outlined and tinted, rim of the retina drawn"
    assert coloured.DerivationDescription == (
        "Blood vessels coloured by probability, viridis from 0.375 to 1, rim of the retina drawn"
    )
    assert plain.SOPInstanceUID != coloured.SOPInstanceUID


@pytest.mark.parametrize("spacing", [True, False])
def test_area_is_measured_where_the_file_declares_spacing(spacing, tmp_path):
    source = drawn_source()
    source.PixelSpacing = [0.1, 0.2]
    if not spacing:
        del source.PixelSpacing
    (tmp_path / "a.dcm").write_bytes(as_file(source))
    result, group = segmentation(), made("dicom-sr", str(tmp_path / "a.dcm")).ContentSequence[-1]
    numbers = [item for item in group.ContentSequence[0].ContentSequence if item.ValueType == "NUM"]
    values = {item.ConceptNameCodeSequence[0].CodeMeaning: item.MeasuredValueSequence[0] for item in numbers}
    share = values["Vessel area as a share of the retina's"].NumericValue
    assert float(share) == pytest.approx(result.vessels.sum() / result.roi.sum(), rel=1e-5)
    if spacing:
        area = float(values["Area"].NumericValue)
        assert area == pytest.approx(result.vessels.sum() * 0.1 * 0.2, rel=1e-5)
    else:
        assert list(values) == ["Vessel area as a share of the retina's"]


def test_the_dimension_is_measured_where_the_disc_is_known(path):
    vessels = np.zeros(segmentation().vessels.shape, bool)
    vessels[vessels.shape[0] // 2] = True
    disc = Disc(vessels.shape[1] / 2, vessels.shape[0] / 2, vessels.shape[1] / 2)
    result = replace(segmentation(), vessels=vessels, roi=np.ones_like(vessels), disc=disc)
    found = {measure.name.meaning: measure for measure in _measures(read_image(path), result)}
    dimension = found["Fractal Dimension"]
    assert (dimension.name.value, dimension.name.scheme) == ("126050", "DCM")
    assert dimension.value == pytest.approx(1, abs=0.1)
    assert dimension.unit == ("1", "UCUM", "no units")
    nothing = replace(result, vessels=np.zeros_like(vessels))
    assert "Fractal Dimension" not in {one.name.meaning for one in _measures(read_image(path), nothing)}


def test_a_file_of_another_format_is_refused(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "scan.png")
    with pytest.raises(ImageError, match=r"no DICOM file.*belong to no patient.*leave the dicom kinds out"):
        require_dicom(str(tmp_path / "scan.png"))
    with pytest.raises(ImageError, match="cannot be read: No such file"):
        require_dicom(str(tmp_path / "gone.dcm"))
    with pytest.raises(ImageError, match="no DICOM file"):
        check_dicom(b"")


def test_a_header_of_another_image_is_refused(path):
    photograph = replace(read_image(path), sop_instance_uid="1.2.3")
    with pytest.raises(ImageError, match="was replaced while it was read"):
        source_of(path, photograph)


def test_a_missing_study_is_doubtful():
    assert warnings_of(None) == warnings_of(Source.of(drawn_source())) == ()
    (warning,) = warnings_of(Source.of(SOURCES["nothing but pixels"]()))
    assert warning.code == "dicom-study-missing"


def test_what_cannot_be_written_is_said_before_the_work(monkeypatch):
    check_objects(["vessels", "dicom-overlay"], "png")
    check_objects(["overlay", "dicom-seg"], "webp")
    with pytest.raises(OptionError, match="--save dicom-overlay: DICOM has no webp; choose --overlay-format"):
        check_objects(["dicom-overlay"], "webp")
    monkeypatch.setitem(sys.modules, "pydicom", None)
    check_objects(["vessels"], "jpeg")
    with pytest.raises(OptionError, match=r'--save dicom-seg: DICOM needs pydicom.*pip install "retinagan'):
        check_objects(["dicom-seg"], "jpeg")
