import pytest
from dicom_sources import SECONDARY_CAPTURE, SOURCES, as_jpeg, coded, drawn_source, item, reread

from retinagan.runtime.dicom.elements import put
from retinagan.runtime.dicom.source import Source
from retinagan.runtime.errors import ImageError


@pytest.mark.parametrize(
    ("keyword", "name"), [("SOPClassUID", "SOP Class"), ("SOPInstanceUID", "SOP Instance")]
)
def test_an_image_that_nothing_can_refer_to_is_refused(keyword, name):
    made = drawn_source()
    del made[keyword]
    del made.file_meta
    with pytest.raises(
        ImageError, match=f"declares no valid {name} UID.*leave the dicom kinds out of --save"
    ):
        Source.of(made)


def test_study_and_series_are_the_file_s():
    made = drawn_source()
    source = Source.of(made)
    assert (source.study, source.series) == (made.StudyInstanceUID, made.SeriesInstanceUID)
    assert source.declares_study


def test_a_file_without_a_study_always_gets_the_same_one():
    one, again, other = (SOURCES["nothing but pixels"]() for _ in range(3))
    other.SOPInstanceUID += "9"
    assert not Source.of(one).declares_study
    assert Source.of(one).study == Source.of(again).study != Source.of(other).study
    assert Source.of(one).study != Source.of(one).series


@pytest.mark.parametrize("declared", ["R", "L", "B", "U", ""])
@pytest.mark.parametrize("keyword", ["ImageLaterality", "Laterality"])
def test_laterality_is_right_left_or_unknown(declared, keyword):
    made = drawn_source()
    del made.ImageLaterality
    setattr(made, keyword, declared)
    assert Source.of(reread(made)).laterality == (declared if declared in "RL" else "")


@pytest.mark.parametrize(("value", "scheme", "side"), [("24028007", "SCT", "R"), ("G-A101", "SRT", "L")])
def test_laterality_is_read_from_the_coded_region(value, scheme, side):
    made = drawn_source()
    del made.ImageLaterality
    region = made.AnatomicRegionSequence[0]
    region.AnatomicRegionModifierSequence = coded(value, scheme, "a side")
    assert Source.of(made).laterality == side


def test_laterality_of_a_frame_is_read_from_its_group():
    made = drawn_source(frames=2)
    del made.ImageLaterality
    made.PerFrameFunctionalGroupsSequence = [
        item(FrameAnatomySequence=[item(FrameLaterality=side)]) for side in "LR"
    ]
    assert [Source.of(made, frame).laterality for frame in (1, 2)] == ["L", "R"]


def test_spacing_is_read_from_the_image_or_its_groups():
    made = drawn_source()
    assert Source.of(made).pixel_spacing == (0.0081, 0.0081)
    del made.PixelSpacing
    assert Source.of(made).pixel_spacing is None
    measures = item(PixelMeasuresSequence=[item(PixelSpacing=[0.02, 0.01])])
    made.SharedFunctionalGroupsSequence = [measures]
    assert Source.of(made).pixel_spacing == (0.02, 0.01)


@pytest.mark.parametrize("spacing", [[0, 0], [0.01], [-1, 1], [200, 200]])
def test_impossible_spacing_is_none(spacing):
    made = drawn_source()
    made.PixelSpacing = spacing
    assert Source.of(made).pixel_spacing is None


def test_orientation_is_two_directions_or_nothing():
    made = drawn_source()
    assert Source.of(made).patient_orientation == ["L", "F"]
    for declared in (["L"], ["left", "down"], None):
        put(made, PatientOrientation=declared)
        assert Source.of(made).patient_orientation == []


def test_a_reference_names_the_frame_of_several_alone():
    assert "ReferencedFrameNumber" not in Source.of(drawn_source()).reference()
    assert Source.of(drawn_source(frames=3), 2).reference().ReferencedFrameNumber == 2


def test_a_class_of_single_frames_has_no_frame_s_number_but_where_it_is_needed():
    made = drawn_source(SECONDARY_CAPTURE)
    made.NumberOfFrames = 2
    assert "ReferencedFrameNumber" not in Source.of(made, 1).reference()
    assert Source.of(made, 2).reference().ReferencedFrameNumber == 2


def test_the_class_may_stand_in_the_file_meta_information_alone():
    made = reread(drawn_source())
    del made.SOPClassUID
    assert Source.of(made).sop_class == drawn_source().SOPClassUID


def test_lossy_compression_is_told_by_the_encoding_too():
    made = as_jpeg(drawn_source())
    ratios, methods = Source.of(made).lossy_compression
    assert methods == ["ISO_10918_1"]
    assert ratios[0] > 1
    for keyword in ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        del made[keyword]
    assert Source.of(made).lossy_compression == ([], ["ISO_10918_1"])
    assert Source.of(drawn_source()).lossy_compression == ([], [])


def test_an_invalid_method_is_replaced_by_the_usual_one():
    made = drawn_source()
    made.LossyImageCompression = "01"
    put(made, LossyImageCompressionMethod="jpeg!")
    assert Source.of(made).lossy_compression == ([], ["ISO_10918_1"])
