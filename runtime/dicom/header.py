"""Read from a DICOM file what the objects derived from it repeat."""

import os
from typing import BinaryIO

from pydicom import dcmread
from pydicom.datadict import tag_for_keyword

from retinagan.runtime.dicom.inherited import INHERITED
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


def read_source(file: str | os.PathLike[str] | BinaryIO, frame: int = 1) -> Source:
    """Read the header of a DICOM image.

    Parameters
    ----------
    file : str, path or file
        A DICOM file, or one that is open for reading in binary mode.
    frame : int
        Number of the frame that was segmented, from 1.

    Raises
    ------
    ImageError
        If the header cannot be read, or nothing can refer to the image.
    """
    try:
        header = dcmread(file, stop_before_pixels=True, force=True, specific_tags=list(_TAGS))
    except Exception as error:  # pydicom meets damaged files with errors of any kind
        raise ImageError(
            f"the DICOM header cannot be repeated in a result ({error}); copy the file again from its source"
        ) from error
    return Source.of(header, frame)
