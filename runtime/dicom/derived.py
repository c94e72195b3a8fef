"""What all derived objects have in common: patient, study, series, equipment, UIDs, dates."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from io import BytesIO

from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from retinagan.runtime.dicom.algorithm import Algorithm, shortened
from retinagan.runtime.dicom.elements import item, put, text, valid_text, whole_number
from retinagan.runtime.dicom.identity import content_digest, uid_of
from retinagan.runtime.dicom.inherited import inherited
from retinagan.runtime.dicom.mark import IMPLEMENTATION_CLASS_UID, PRODUCT
from retinagan.runtime.dicom.source import JPEG_METHOD, Source

_OF_THE_PICTURE = {
    "AcquisitionDate": "",
    "AcquisitionTime": "",
    "AcquisitionDateTime": "",
    "BurnedInAnnotation": "YES NO",
    "RecognizableVisualFeatures": "YES NO",
}  # with the values that are defined
_LARGEST_NUMBER = 9999


@dataclass(frozen=True)
class Kind:
    """A kind of object: its SOP class, and the series that it goes to.

    `number` is added to a hundred times the source's series number. `frame_of_reference` tells whether the
    class has a Frame of Reference, `series_laterality` whether its series names the eye where no image does.
    """

    sop_class: UID
    modality: str
    number: int
    description: str
    is_image: bool = True
    frame_of_reference: bool = False
    series_laterality: bool = False


def derived(source: Source, algorithm: Algorithm, kind: Kind) -> Dataset:
    """Return a dataset with the modules that all kinds of object have.

    These are Patient, General Study, Patient Study, Clinical Trial, General Series, Frame of Reference,
    General and Enhanced General Equipment, and of images what the source declares of the picture. `finished`
    adds the rest of SOP Common.

    A series holds the objects of one kind, by one model, of the images of one source series.
    """
    made = put(
        inherited(source.header),
        SOPClassUID=kind.sop_class,
        StudyInstanceUID=source.study,
        InstanceNumber=_instance_number(source),
    )
    series = _series(source, algorithm, kind)
    made.update(series)
    put(made, SeriesInstanceUID=uid_of("series", source.study, source.series, content_digest(series)))
    if kind.is_image:
        put(made, PatientOrientation=source.patient_orientation)
        if source.laterality:
            put(made, ImageLaterality=source.laterality)
        for keyword, expected in _OF_THE_PICTURE.items():
            if value := valid_text(source.header, keyword, expected):
                put(made, **{keyword: value})
    return made


def finished(made: Dataset, transfer_syntax: UID, when: datetime | None = None) -> Dataset:
    """Give a complete object its SOP Instance UID, its dates and its file meta information.

    The UID follows from all other attributes but dates and times. So it stays the same when the same result
    is computed again, and no other object has it.

    Parameters
    ----------
    made : Dataset
        The object; changed in place.
    transfer_syntax : UID
        How it is encoded.
    when : datetime, optional
        When the result was computed; now if left out. It is written in the time zone that the source
        declares, otherwise in local time.

    Returns
    -------
    Dataset
        The same object.
    """
    instance = uid_of("instance", str(transfer_syntax), content_digest(made))
    moment = (when or datetime.now(timezone.utc)).astimezone(_declared_zone(made))
    day, time = moment.strftime("%Y%m%d"), moment.strftime("%H%M%S")
    put(made, SOPInstanceUID=instance, ContentDate=day, ContentTime=time)
    put(made, InstanceCreationDate=day, InstanceCreationTime=time)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = made.SOPClassUID
    meta.MediaStorageSOPInstanceUID = UID(instance)
    meta.TransferSyntaxUID = transfer_syntax
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = "RETINAGAN"
    made.file_meta = meta
    return made


def encoded(made: Dataset) -> bytes:
    """Return a finished object as the bytes of a file."""
    stream = BytesIO()
    dcmwrite(stream, made, enforce_file_format=True)
    return stream.getvalue()


def set_references(made: Dataset, source: Source) -> None:
    """Set the series and image that the object refers to (Common Instance Reference Module, C.12.2)."""
    instance = item(ReferencedSOPClassUID=source.sop_class, ReferencedSOPInstanceUID=source.sop_instance)
    series = item(SeriesInstanceUID=source.series, ReferencedInstanceSequence=[instance])
    put(made, ReferencedSeriesSequence=[series])


def set_compression(made: Dataset, source: Source, ratio: float | None = None) -> None:
    """Set what lossy compression the pixels went through: the source's, and JPEG of `ratio` after it."""
    ratios, methods = source.lossy_compression
    if methods and not ratios:
        ratios = [1.0]  # not declared; the attribute may not be missing
    if ratio is not None:
        ratios, methods = [*ratios, ratio], [*methods, JPEG_METHOD]
    put(made, LossyImageCompression="01" if methods else "00")
    if methods:
        shown = [f"{min(max(one, 1.0), 1e6):.2f}" for one in ratios]
        put(made, LossyImageCompressionRatio=shown, LossyImageCompressionMethod=methods)


def _series(source: Source, algorithm: Algorithm, kind: Kind) -> Dataset:
    number = whole_number(source.header, "SeriesNumber") or 0
    made = item(
        Modality=kind.modality,
        SeriesNumber=100 * (number if 0 < number <= _LARGEST_NUMBER else 9) + kind.number,
        SeriesDescription=shortened(f"{kind.description} ({algorithm.name})"),
        Manufacturer=PRODUCT,
        ManufacturerModelName=algorithm.name,
        DeviceSerialNumber=algorithm.serial_number,
        SoftwareVersions=shortened(f"retinagan {algorithm.version}"),
    )
    if kind.is_image:
        put(made, BodyPartExamined="EYE")
    if kind.series_laterality and not source.laterality:
        put(made, Laterality="")
    frame_of_reference = valid_text(source.header, "FrameOfReferenceUID")
    if kind.frame_of_reference and frame_of_reference:
        indicator = valid_text(source.header, "PositionReferenceIndicator")
        put(made, FrameOfReferenceUID=frame_of_reference, PositionReferenceIndicator=indicator)
    return made


def _instance_number(source: Source) -> int:
    """Return the source's instance number, with the frame's number after it where there are several."""
    number = whole_number(source.header, "InstanceNumber") or 1
    if source.frames == 1 or number > _LARGEST_NUMBER:
        return number
    return 10_000 * number + source.frame


def _declared_zone(made: Dataset) -> timezone | None:
    """Return the time zone of an object's times, ``+0100``; None for local time."""
    declared = text(made, "TimezoneOffsetFromUTC")
    if len(declared) != 5 or declared[0] not in "+-" or not declared[1:].isdecimal():
        return None
    offset = timedelta(hours=int(declared[1:3]), minutes=int(declared[3:]))
    if offset >= timedelta(hours=24):
        return None
    return timezone(-offset if declared[0] == "-" else offset)
