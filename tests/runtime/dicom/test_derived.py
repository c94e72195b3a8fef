from datetime import datetime, timedelta, timezone

import pytest
from dicom_sources import PHOTOGRAPHIC, SOURCES, as_jpeg, drawn_source, reread
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from retinagan.runtime.dicom.algorithm import Algorithm
from retinagan.runtime.dicom.derived import Kind, derived, finished, set_compression, set_references
from retinagan.runtime.dicom.mark import is_own_object
from retinagan.runtime.dicom.source import Source

ALGORITHM = Algorithm("retina-gan", "ab" * 32, "0.3.0", 0.5)
KIND = Kind(UID("1.2.840.10008.5.1.4.1.1.66.4"), "SEG", 1, "Vessels", frame_of_reference=True)
WHEN = datetime(2024, 5, 6, 22, 30, 15, tzinfo=timezone.utc)


def whole(made: Dataset, frame: int = 1, algorithm: Algorithm = ALGORITHM, when: datetime = WHEN) -> Dataset:
    return finished(derived(Source.of(made, frame), algorithm, KIND), ExplicitVRLittleEndian, when)


def test_the_same_result_has_the_same_uids_whenever_it_is_computed():
    one, later = whole(drawn_source()), whole(drawn_source(), when=WHEN + timedelta(days=3))
    assert one.SOPInstanceUID == later.SOPInstanceUID
    assert one.SeriesInstanceUID == later.SeriesInstanceUID
    assert one.ContentDate != later.ContentDate


def test_any_other_result_has_another_uid():
    other_patient = drawn_source()
    other_patient.PatientID = "E-0043"
    frames = drawn_source(frames=3)
    made = [
        whole(drawn_source()),
        whole(drawn_source(number=2)),
        whole(other_patient),
        whole(frames),
        whole(frames, 2),
        whole(drawn_source(), algorithm=Algorithm("retina-gan", "cd" * 32, "0.3.0", 0.5)),
    ]
    assert len({one.SOPInstanceUID for one in made}) == len(made)


def test_a_series_holds_what_is_alike():
    first, second = whole(drawn_source(number=1)), whole(drawn_source(number=2))
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
    assert (first.InstanceNumber, second.InstanceNumber) == (1, 2)
    other_model = whole(drawn_source(), algorithm=Algorithm("other", "ab" * 32, "0.3.0", 0.5))
    other_series = whole(drawn_source(PHOTOGRAPHIC))
    uids = {first.SeriesInstanceUID, other_model.SeriesInstanceUID, other_series.SeriesInstanceUID}
    assert len(uids) == 3
    assert drawn_source().SeriesInstanceUID not in uids


def test_study_is_the_source_s_and_the_equipment_ours():
    made = whole(drawn_source())
    assert made.StudyInstanceUID == drawn_source().StudyInstanceUID
    assert (made.Manufacturer, made.ManufacturerModelName) == ("Retina-GAN", "retina-gan")
    assert (made.DeviceSerialNumber, made.SoftwareVersions) == ("ab" * 32, "retinagan 0.3.0")
    assert made.SeriesDescription == "Vessels (retina-gan)"
    assert made.AcquisitionDateTime == "20240305101510"


@pytest.mark.parametrize(("number", "expected"), [(3, 301), (None, 901), (0, 901), (123456, 901)])
def test_series_are_numbered_after_the_source_s(number, expected):
    made = drawn_source()
    made.SeriesNumber = number
    assert whole(made).SeriesNumber == expected


def test_frames_are_numbered_within_their_image():
    made = drawn_source(frames=3, number=7)
    assert [whole(made, frame).InstanceNumber for frame in (1, 3)] == [70001, 70003]
    made.InstanceNumber = 1 << 30
    assert whole(made, 3).InstanceNumber == 1 << 30


@pytest.mark.parametrize(
    ("offset", "day", "time"),
    [("+0200", "20240507", "003015"), ("-0330", "20240506", "190015")],
)
def test_times_are_in_the_zone_of_the_study(offset, day, time):
    made = drawn_source()
    made.TimezoneOffsetFromUTC = offset
    result = whole(made)
    assert (result.ContentDate, result.ContentTime) == (day, time)
    assert (result.InstanceCreationDate, result.InstanceCreationTime) == (day, time)
    assert result.TimezoneOffsetFromUTC == offset


@pytest.mark.parametrize("offset", ["", "CET", "+9999"])
def test_times_are_local_where_no_zone_is_declared(offset):
    made = drawn_source()
    if offset:
        made.add_new("TimezoneOffsetFromUTC", "LO", offset)
    local = WHEN.astimezone()
    assert whole(made).ContentTime == local.strftime("%H%M%S")


def test_the_frame_of_reference_is_kept_where_the_class_has_one():
    made = SOURCES["photographic, with frame of reference"]()
    assert whole(made).FrameOfReferenceUID == made.FrameOfReferenceUID
    without = Kind(KIND.sop_class, "OT", 1, "Vessels")
    assert "FrameOfReferenceUID" not in derived(Source.of(made), ALGORITHM, without)


def test_what_the_picture_declares_is_kept_if_it_is_valid():
    made = drawn_source()
    made.add_new("BurnedInAnnotation", "LO", "perhaps")
    made.RecognizableVisualFeatures = "NO"
    result = derived(Source.of(made), ALGORITHM, KIND)
    assert "BurnedInAnnotation" not in result
    assert result.RecognizableVisualFeatures == "NO"
    report = derived(Source.of(made), ALGORITHM, Kind(KIND.sop_class, "SR", 4, "Measures", is_image=False))
    assert "PatientOrientation" not in report
    assert "BodyPartExamined" not in report


def test_the_file_is_marked_as_ours():
    made = whole(drawn_source())
    read = reread(made)
    assert read.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID
    assert is_own_object(b"\0" * 128 + b"DICM" + str(made.file_meta.ImplementationClassUID).encode())


def test_references_name_the_series_and_the_image():
    made, source = Dataset(), drawn_source()
    set_references(made, Source.of(source))
    series = made.ReferencedSeriesSequence[0]
    assert series.SeriesInstanceUID == source.SeriesInstanceUID
    assert series.ReferencedInstanceSequence[0].ReferencedSOPClassUID == source.SOPClassUID


def test_compressions_add_up():
    made, source = Dataset(), as_jpeg(drawn_source())
    set_compression(made, Source.of(source), 7.125)
    assert made.LossyImageCompression == "01"
    assert list(made.LossyImageCompressionRatio) == [source.LossyImageCompressionRatio, 7.12]
    assert list(made.LossyImageCompressionMethod) == ["ISO_10918_1", "ISO_10918_1"]


def test_a_ratio_that_is_not_declared_is_told_as_one():
    made, source = Dataset(), drawn_source()
    source.LossyImageCompression = "01"
    set_compression(made, Source.of(source))
    assert made.LossyImageCompressionRatio == 1
    assert made.LossyImageCompressionMethod == "ISO_10918_1"
