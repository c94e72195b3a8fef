"""Files of eye cameras, drawn and written by pydicom: one for each class of image that cameras send.

Each is meant to be valid by its class, so that an error found in an object that is derived from it is the
derived object's own.
"""

import io

import numpy as np
from drawn_retina import drawn_retina
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit

OPHTHALMIC_8_BIT = UID("1.2.840.10008.5.1.4.1.1.77.1.5.1")
OPHTHALMIC_16_BIT = UID("1.2.840.10008.5.1.4.1.1.77.1.5.2")
PHOTOGRAPHIC = UID("1.2.840.10008.5.1.4.1.1.77.1.4")
SECONDARY_CAPTURE = UID("1.2.840.10008.5.1.4.1.1.7")
CAPTURES_IN_COLOR = UID("1.2.840.10008.5.1.4.1.1.7.4")
ROOT = "1.2.826.0.1.3680043.8.498.7"


def item(**values) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def coded(value: str, scheme: str, meaning: str, **more) -> list[Dataset]:
    return [item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning, **more)]


def drawn_source(
    sop_class: UID = OPHTHALMIC_8_BIT, *, frames: int = 1, number: int = 1, height: int = 90, width: int = 101
) -> Dataset:
    """Return an image of a class: colour, but 12 bits of grey where the class is of 16 bits.

    `number` sets its UIDs within the study; `height` and `width` are its size.
    """
    made = _patient_and_study()
    made.SOPClassUID, made.SOPInstanceUID = sop_class, f"{ROOT}.3.{number}"
    made.SeriesInstanceUID, made.SeriesNumber = f"{ROOT}.2.{sop_class[-1]}", 3
    made.SeriesDate, made.SeriesTime = "20240305", "101502"
    made.Manufacturer, made.ManufacturerModelName = "Drawn cameras", "Disc 1"
    made.DeviceSerialNumber, made.SoftwareVersions = "0001", "1.0"
    made.InstanceNumber, made.PatientOrientation = number, ["L", "F"]
    made.ContentDate, made.ContentTime = "20240305", "101510"
    made.AcquisitionDateTime = "20240305101510"
    made.ImageType = ["ORIGINAL", "PRIMARY"]
    made.BurnedInAnnotation = "NO"
    made.ImageLaterality = "R"
    made.LossyImageCompression = "00"
    image, _ = drawn_retina(height, width)
    if sop_class == OPHTHALMIC_16_BIT:
        set_pixels(made, np.repeat(image[None, ..., 1].astype(np.uint16) * 16, frames, axis=0), bits=12)
    else:
        set_pixels(made, np.repeat(image[None], frames, axis=0))
    _BY_CLASS[sop_class](made, frames)
    made.file_meta = FileMetaDataset()
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def set_pixels(made: Dataset, pixels: np.ndarray, *, bits: int = 8, photometric: str = "") -> None:
    """Set pixel data and what describes it; `pixels` has frames, rows, columns and, in colour, channels."""
    grey = pixels.ndim == 3
    made.SamplesPerPixel = 1 if grey else 3
    made.PhotometricInterpretation = photometric or ("MONOCHROME2" if grey else "RGB")
    if not grey:
        made.PlanarConfiguration = 0
    made.Rows, made.Columns = pixels.shape[1:3]
    made.BitsAllocated, made.BitsStored, made.HighBit = 8 * pixels.itemsize, bits, bits - 1
    made.PixelRepresentation = 0
    content = pixels.tobytes()
    made.PixelData = content + b"\0" * (len(content) % 2)


def as_jpeg(made: Dataset) -> Dataset:
    """Return an image in colour stored as JPEG, as most cameras send it."""
    import cv2

    pixels = np.frombuffer(made.PixelData, np.uint8)[: made.Rows * made.Columns * 3]
    picture = pixels.reshape(made.Rows, made.Columns, 3)[..., ::-1]
    content = cv2.imencode(".jpg", picture)[1].tobytes()
    made.PixelData = encapsulate([content])
    made["PixelData"].is_undefined_length = True
    made.PhotometricInterpretation = "YBR_FULL_422"
    made.LossyImageCompression = "01"
    made.LossyImageCompressionRatio = f"{picture.size / len(content):.2f}"
    made.LossyImageCompressionMethod = "ISO_10918_1"
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    return made


def _patient_and_study() -> Dataset:
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 100"
    made.PatientName, made.PatientID = "Müller^Änne", "E-0042"
    made.PatientBirthDate, made.PatientSex = "19510203", "F"
    made.StudyInstanceUID, made.StudyID = f"{ROOT}.1", "77"
    made.StudyDate, made.StudyTime = "20240305", "101500"
    made.StudyDescription = "Fundusfotografie"
    made.AccessionNumber, made.ReferringPhysicianName = "A123", "Weiß^Tom"
    made.PatientAge = "073Y"
    return made


def _ophthalmic(made: Dataset, frames: int) -> None:
    made.Modality = "OP"
    made.ImageType = ["ORIGINAL", "PRIMARY", "", "COLOR"]
    made.NumberOfFrames = frames
    made.FrameIncrementPointer, made.FrameTime = 0x00181063, 40.0
    made.SynchronizationFrameOfReferenceUID = f"{ROOT}.4"
    made.SynchronizationTrigger, made.AcquisitionTimeSynchronized = "NO TRIGGER", "N"
    made.PixelSpacing = [0.0081, 0.0081]
    made.PresentationLUTShape = "IDENTITY"
    if made.SamplesPerPixel == 3:
        del made.PresentationLUTShape
    made.AnatomicRegionSequence = coded("81745001", "SCT", "Eye")
    made.AcquisitionDeviceTypeCodeSequence = coded("409898007", "SCT", "Fundus Camera")
    made.IlluminationTypeCodeSequence = []
    made.LightPathFilterTypeStackCodeSequence = []
    made.ImagePathFilterTypeStackCodeSequence = []
    made.LensesCodeSequence = []
    made.PatientEyeMovementCommanded = "NO"
    made.HorizontalFieldOfView = 45.0
    made.RefractiveStateSequence = []
    made.EmmetropicMagnification = None
    made.IntraOcularPressure = None
    made.PupilDilated = None
    made.AcquisitionContextSequence = []
    made.DetectorType = "CCD"


def _photographic(made: Dataset, frames: int) -> None:
    made.Modality = "XC"
    made.AcquisitionContextSequence = []
    made.AnatomicRegionSequence = coded("5665001", "SCT", "Retina")


def _captured(made: Dataset, frames: int) -> None:
    made.Modality = "OT"
    made.ConversionType = "WSD"


def _captures(made: Dataset, frames: int) -> None:
    _captured(made, frames)
    made.NumberOfFrames = frames
    made.FrameIncrementPointer, made.FrameTime = 0x00181063, 40.0


_BY_CLASS = {
    OPHTHALMIC_8_BIT: _ophthalmic,
    OPHTHALMIC_16_BIT: _ophthalmic,
    PHOTOGRAPHIC: _photographic,
    SECONDARY_CAPTURE: _captured,
    CAPTURES_IN_COLOR: _captures,
}


def as_file(made: Dataset) -> bytes:
    """Return the bytes of a DICOM file."""
    stream = io.BytesIO()
    dcmwrite(stream, made, enforce_file_format=True)
    return stream.getvalue()


def reread(made: Dataset) -> Dataset:
    """Return an object as a reader of its file has it."""
    return dcmread(io.BytesIO(as_file(made)))


def _many_frames() -> Dataset:
    return drawn_source(OPHTHALMIC_8_BIT, frames=3)


def _grey() -> Dataset:
    made = drawn_source(OPHTHALMIC_8_BIT)
    image, _ = drawn_retina(90, 101)
    del made.PlanarConfiguration
    set_pixels(made, image[None, ..., 1])
    return made


def _without_laterality() -> Dataset:
    made = drawn_source(SECONDARY_CAPTURE)
    del made.ImageLaterality
    return made


def _with_frame_of_reference() -> Dataset:
    made = drawn_source(PHOTOGRAPHIC)
    made.FrameOfReferenceUID, made.PositionReferenceIndicator = f"{ROOT}.5", ""
    return made


def _bare() -> Dataset:
    """Return an image that declares its class, its own UID and its pixels, and nothing else."""
    made = drawn_source(SECONDARY_CAPTURE)
    image = (0x0028, 0x7FE0)
    for element in list(made):
        if element.tag.group not in image and element.keyword not in ("SOPClassUID", "SOPInstanceUID"):
            del made[element.tag]
    return made


def _implicit() -> Dataset:
    made = drawn_source(OPHTHALMIC_8_BIT)
    made.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return made


SOURCES = {
    "ophthalmic 8 bit": drawn_source,
    "ophthalmic 8 bit, JPEG": lambda: as_jpeg(drawn_source()),
    "ophthalmic 8 bit, grey": _grey,
    "ophthalmic 8 bit, implicit VR": _implicit,
    "ophthalmic 16 bit": lambda: drawn_source(OPHTHALMIC_16_BIT),
    "photographic": lambda: drawn_source(PHOTOGRAPHIC),
    "photographic, JPEG": lambda: as_jpeg(drawn_source(PHOTOGRAPHIC)),
    "photographic, with frame of reference": _with_frame_of_reference,
    "secondary capture": lambda: drawn_source(SECONDARY_CAPTURE),
    "several frames": _many_frames,
    "secondary captures in color": lambda: drawn_source(CAPTURES_IN_COLOR, frames=2),
    "without laterality": _without_laterality,
    "nothing but pixels": _bare,
}
"""Images of each class, and such as lack what others have; each name with what makes one."""
