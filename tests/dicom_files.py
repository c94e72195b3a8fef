"""DICOM files of drawn eyes, written by pydicom, with a patient whose name must be found nowhere."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.fileset import FileSet
from pydicom.pixels import get_encoder
from pydicom.uid import UID, ExplicitVRLittleEndian, RLELossless, generate_uid

OPHTHALMIC_8, OPHTHALMIC_16 = "1.2.840.10008.5.1.4.1.1.77.1.5.1", "1.2.840.10008.5.1.4.1.1.77.1.5.2"
VL_PHOTOGRAPHIC, SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.77.1.4", "1.2.840.10008.5.1.4.1.1.7"
MULTI_FRAME_COLOR = "1.2.840.10008.5.1.4.1.1.7.4"
PATIENT = ("Eyre", "Jane", "JE-1847", "18160421")
"""Parts of the patient's name, ID and birth date."""


def dicom_dataset(pixels: np.ndarray | None = None, **attributes: object) -> Dataset:
    """Return an Ophthalmic Photography object of one frame, grey or RGB, or of (frames, H, W[, 3]) values.

    Attributes by keyword replace what it has; None takes them out.
    """
    data = Dataset()
    data.SOPClassUID = OPHTHALMIC_8
    data.SOPInstanceUID = generate_uid(entropy_srcs=["drawn eye"])
    data.StudyInstanceUID = data.SeriesInstanceUID = generate_uid(entropy_srcs=["drawn study"])
    data.Modality, data.Manufacturer = "OP", "Drawn"
    data.PatientName, data.PatientID = f"{PATIENT[0]}^{PATIENT[1]}", PATIENT[2]
    data.PatientBirthDate, data.PatientSex = PATIENT[3], "F"
    data.StudyDate, data.StudyTime, data.AccessionNumber = "20240102", "030405", ""
    data.ImageType = ["ORIGINAL", "PRIMARY", "", "COLOR"]
    data.ImageLaterality, data.HorizontalFieldOfView = "R", 45.0
    data.PixelSpacing = [0.05, 0.05]
    if pixels is not None:
        colour = pixels.shape[-1] == 3 and pixels.ndim > 2
        shape = pixels.shape[:-1] if colour else pixels.shape
        data.Rows, data.Columns = shape[-2:]
        if len(shape) == 3:
            data.NumberOfFrames = shape[0]
        data.SamplesPerPixel = 3 if colour else 1
        data.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
        if colour:
            data.PlanarConfiguration = 0
        data.BitsAllocated = data.BitsStored = 8 * pixels.dtype.itemsize
        data.HighBit, data.PixelRepresentation = data.BitsStored - 1, 0
        content = pixels.tobytes()
        data.PixelData = content + b"\0" * (len(content) % 2)
        data["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"
    for keyword, value in attributes.items():
        if value is None:
            delattr(data, keyword)
        else:
            setattr(data, keyword, value)
    return data


def dicom_file(
    pixels: np.ndarray | None = None,
    *,
    frames: list[bytes] | None = None,
    syntax: str = ExplicitVRLittleEndian,
    **attributes: object,
) -> bytes:
    """Return the file of `dicom_dataset`; `frames` are its pixels as they are compressed."""
    data = dicom_dataset(pixels, **attributes)
    if frames is not None:
        data.PixelData = encapsulate(frames)
        data["PixelData"].VR = "OB"
    return written(data, syntax)


def written(data: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """Return the file of a data set."""
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = UID(syntax)
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, data, enforce_file_format=True)
    return buffer.getvalue()


def write_medium(folder: Path, datasets: Sequence[Dataset]) -> Path:
    """Write objects and the DICOMDIR that lists them into a folder; return the path of the DICOMDIR."""
    files = FileSet()
    for number, data in enumerate(datasets, 1):
        data.SOPInstanceUID, data.InstanceNumber = generate_uid(), number
        data.SeriesNumber, data.StudyID = 1, "1"
        files.add(pydicom.dcmread(io.BytesIO(written(data))))
    files.write(folder)
    files._stage["t"].cleanup()  # else its end is a warning
    return folder / "DICOMDIR"


def rle_frame(array: np.ndarray) -> bytes:
    """Return a frame, grey or of three colours, as pydicom compresses it by RLE."""
    colour = array.ndim == 3
    return get_encoder(RLELossless).encode(
        array.tobytes(),
        rows=array.shape[0],
        columns=array.shape[1],
        samples_per_pixel=3 if colour else 1,
        number_of_frames=1,
        bits_allocated=8 * array.dtype.itemsize,
        bits_stored=8 * array.dtype.itemsize,
        pixel_representation=0,
        photometric_interpretation="RGB" if colour else "MONOCHROME2",
        planar_configuration=0,
    )
