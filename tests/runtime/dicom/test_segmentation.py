import dicom_sources
import numpy as np
import pytest
from dicom_sources import SOURCES, as_file, drawn_source, reread
from dicom_tools import contradictions_among, errors_in, printed

from retinagan.runtime.dicom.algorithm import Algorithm
from retinagan.runtime.dicom.segmentation import probability_segmentation, vessel_segmentation
from retinagan.runtime.dicom.source import Source

ALGORITHM = Algorithm("retina-gan", "ab" * 32, "0.3.0", 0.4375, engine="OpenVINO on CPU")
RANDOM = np.random.default_rng(3)
PROBABILITY = RANDOM.random((90, 101), np.float32)
VESSELS = PROBABILITY >= 0.8


def both(source):
    return (
        vessel_segmentation(source, VESSELS, ALGORITHM),
        probability_segmentation(source, PROBABILITY, ALGORITHM),
    )


@pytest.mark.parametrize("name", SOURCES)
def test_validators_find_no_error(name, tmp_path):
    made = SOURCES[name]()
    paths = [tmp_path / "source.dcm"]
    paths[0].write_bytes(as_file(made))
    for number, segmentation in enumerate(both(Source.of(reread(made), 1))):
        paths.append(tmp_path / f"{number}.dcm")
        paths[-1].write_bytes(as_file(segmentation))
        assert errors_in(paths[-1]) == []
    assert contradictions_among(paths if name != "nothing but pixels" else paths[1:]) == []


def test_dcmtk_reads_every_attribute(tmp_path):
    (tmp_path / "a.dcm").write_bytes(as_file(both(Source.of(drawn_source()))[0]))
    dumped = printed("dcmdump", tmp_path / "a.dcm")
    assert "[BINARY]" in dumped
    assert not [line for line in dumped.splitlines() if line.startswith(("E:", "W:"))]


@pytest.mark.parametrize("frame", [1, 2, 3])
def test_highdicom_finds_the_map_of_a_frame_by_its_source(frame):
    highdicom = pytest.importorskip("highdicom")
    made = drawn_source(frames=3)
    for segmentation, expected in zip(both(Source.of(made, frame)), (VESSELS, PROBABILITY), strict=True):
        read = highdicom.seg.Segmentation.from_dataset(reread(segmentation))
        found = read.get_pixels_by_source_frame(made.SOPInstanceUID, [frame])[0, ..., 0]
        np.testing.assert_allclose(found, expected, atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize("name", ["ophthalmic 8 bit", "photographic", "secondary capture"])
def test_highdicom_finds_the_map_of_a_single_image(name):
    highdicom = pytest.importorskip("highdicom")
    made = SOURCES[name]()
    segmentation = highdicom.seg.Segmentation.from_dataset(reread(both(Source.of(made))[0]))
    found = segmentation.get_pixels_by_source_instance([made.SOPInstanceUID])[0, ..., 0]
    np.testing.assert_array_equal(found, VESSELS)
    segment = segmentation.get_segment_description(1)
    assert segment.segmented_property_category.value == "91723000"
    assert segment.segmented_property_type.value == "59820001"
    assert segment.algorithm_identification.name == "retina-gan"
    assert segment.algorithm_identification.version == "0.3.0"


def test_pixels_are_packed_as_dicom_has_them():
    vessels = np.zeros((3, 3), bool)
    vessels[0, 0] = vessels[2, 2] = True  # the first bit of the first byte, and of the second
    made = vessel_segmentation(Source.of(drawn_source()), vessels, ALGORITHM)
    assert made.PixelData == b"\x01\x01"
    np.testing.assert_array_equal(reread(made).pixel_array, vessels)


def test_probability_has_255_steps():
    levels = np.array([[0.0, 1.0, 0.5, 0.002, 1 / 255]], np.float32)
    made = probability_segmentation(Source.of(drawn_source()), levels, ALGORITHM)
    assert made.MaximumFractionalValue == 255
    assert reread(made).pixel_array.tolist() == [[0, 255, 128, 1, 1]]


@pytest.mark.parametrize(
    ("letter", "value", "meaning"), [("R", "24028007", "Right"), ("L", "7771000", "Left")]
)
def test_the_eye_is_named_twice(letter, value, meaning):
    made = drawn_source()
    made.ImageLaterality = letter
    segmentation = vessel_segmentation(Source.of(made), VESSELS, ALGORITHM)
    region = segmentation.SegmentSequence[0].AnatomicRegionSequence[0]
    assert (region.CodeValue, region.CodingSchemeDesignator) == ("5665001", "SCT")
    side = region.AnatomicRegionModifierSequence[0]
    assert (side.CodeValue, side.CodeMeaning[0]) == (value, letter)
    assert segmentation.ImageLaterality == letter


def test_an_unknown_eye_is_not_invented():
    segmentation = vessel_segmentation(Source.of(SOURCES["without laterality"]()), VESSELS, ALGORITHM)
    assert "ImageLaterality" not in segmentation
    assert "AnatomicRegionModifierSequence" not in segmentation.SegmentSequence[0].AnatomicRegionSequence[0]


def test_it_refers_to_the_frame_that_was_segmented():
    made = drawn_source(frames=3)
    segmentation = vessel_segmentation(Source.of(made, 2), VESSELS, ALGORITHM)
    derivation = segmentation.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0]
    reference = derivation.SourceImageSequence[0]
    assert reference.ReferencedSOPInstanceUID == made.SOPInstanceUID
    assert reference.ReferencedFrameNumber == 2
    listed = segmentation.ReferencedSeriesSequence[0]
    assert listed.SeriesInstanceUID == made.SeriesInstanceUID
    assert listed.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == made.SOPInstanceUID


def test_the_model_is_identified_by_its_hash():
    segment = vessel_segmentation(Source.of(drawn_source()), VESSELS, ALGORITHM).SegmentSequence[0]
    algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
    assert "ab" * 32 in algorithm.AlgorithmParameters
    assert "probability threshold 0.4375" in algorithm.AlgorithmParameters


def test_lossy_compression_of_the_source_is_told():
    made = dicom_sources.as_jpeg(drawn_source())
    segmentation = vessel_segmentation(Source.of(made), VESSELS, ALGORITHM)
    assert segmentation.LossyImageCompression == "01"
    assert segmentation.LossyImageCompressionRatio == made.LossyImageCompressionRatio
    assert vessel_segmentation(Source.of(drawn_source()), VESSELS, ALGORITHM).LossyImageCompression == "00"
