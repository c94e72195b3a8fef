"""Read from a DICOM file what the objects derived from it repeat."""

import os
from pathlib import Path

from pydicom import dcmread
from pydicom.datadict import tag_for_keyword

from retinagan.runtime.dicom.inherited import INHERITED
from retinagan.runtime.dicom.mark import HEAD
from retinagan.runtime.dicom.source import Source
from retinagan.runtime.errors import ImageError

WANTED = (
    *INHERITED,
    "SpecificCharacterSet",
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "InstanceNumber",
    "Modality",
    "NumberOfFrames",
    "ImageLaterality",
    "Laterality",
    "AnatomicRegionSequence",
    "PatientOrientation",
    "PixelSpacing",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionDateTime",
    "BurnedInAnnotation",
    "RecognizableVisualFeatures",
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)
"""Keywords of the attributes that are read."""

_TAGS = [tag for tag in map(tag_for_keyword, WANTED) if tag is not None]


def require_dicom(path: str | os.PathLike[str]) -> None:
    """Refuse a file that is no DICOM file, by its first bytes.

    Raises
    ------
    ImageError
        If it is none, or cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise ImageError(f"the file cannot be read: {error.strerror or error}") from error
    if head[128:132] != b"DICM":
        raise ImageError(
            "this is no DICOM file: a DICOM result of it would belong to no patient and refer to no image; "
            "leave the dicom kinds out of --save for it"
        )


def read_source(path: str | os.PathLike[str], frame: int = 1) -> Source:
    """Read the header of a DICOM image.

    Parameters
    ----------
    path : str or path
        A DICOM file.
    frame : int
        Number of the frame that was segmented, from 1.

    Raises
    ------
    ImageError
        If the header cannot be read, or nothing can refer to the image.
    """
    try:
        header = dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS))
    except Exception as error:  # pydicom meets damaged files with errors of any kind
        raise ImageError(
            f"the DICOM header cannot be repeated in a result ({error}); copy the file again from its source"
        ) from error
    return Source.of(header, frame)
