"""The overlay as a Secondary Capture (PS3.3 A.8), which every viewer of DICOM images shows."""

from datetime import datetime

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGBaseline8Bit
from pydicom.valuerep import VR

from retinagan.runtime.dicom.algorithm import Algorithm
from retinagan.runtime.dicom.codes import SEGMENTATION, coded
from retinagan.runtime.dicom.derived import Kind, derived, finished, set_compression, set_references
from retinagan.runtime.dicom.elements import put, valid_text
from retinagan.runtime.dicom.source import Source

SECONDARY_CAPTURE_STORAGE = UID("1.2.840.10008.5.1.4.1.1.7")
_NUMBER, _DESCRIPTION = 3, "Overlay of blood vessels"
_QUALITY = 92
_JPEG = [
    *(cv2.IMWRITE_JPEG_QUALITY, _QUALITY),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
]


def overlay_capture(
    source: Source,
    overlay: NDArray[np.uint8],
    algorithm: Algorithm,
    when: datetime | None = None,
    *,
    colors: str = "",
    lossy: bool = True,
) -> Dataset:
    """Return an overlay as a Secondary Capture image.

    Parameters
    ----------
    source : Source
        The frame that the overlay shows.
    overlay : (H, W, 3) uint8 array
        RGB; of the source's size.
    algorithm : Algorithm
        What computed the map in it.
    when : datetime, optional
        When; now if left out.
    colors : str
        What the vessels' colours mean, as one line of ASCII; empty if all have one.
    lossy : bool
        Whether pixels are stored as JPEG (Baseline, quality 92), or else exactly, which takes ten times the
        space.
    """
    modality = valid_text(source.header, "Modality") or "OT"
    kind = Kind(SECONDARY_CAPTURE_STORAGE, modality, _NUMBER, _DESCRIPTION, series_laterality=True)
    shown = f"coloured by {colors}" if colors else "outlined and tinted"
    made = put(
        derived(source, algorithm, kind),
        ImageType=["DERIVED", "SECONDARY"],
        ConversionType="WSD",
        DerivationDescription=f"Blood vessels {shown}, rim of the retina drawn",
        DerivationCodeSequence=coded(SEGMENTATION),
        SourceImageSequence=[source.reference_as_source()],
        SamplesPerPixel=3,
        PhotometricInterpretation="YBR_FULL_422" if lossy else "RGB",
        PlanarConfiguration=0,
        Rows=overlay.shape[0],
        Columns=overlay.shape[1],
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelRepresentation=0,
    )
    set_references(made, source)
    if source.pixel_spacing is not None:
        put(made, PixelSpacing=[f"{distance:.6g}" for distance in source.pixel_spacing])
    if lossy:
        jpeg = cv2.imencode(".jpg", cv2.cvtColor(overlay, cv2.COLOR_RGB2BGR), _JPEG)[1].tobytes()
        content = encapsulate([jpeg])
        set_compression(made, source, overlay.nbytes / len(jpeg))
    else:
        content = overlay.tobytes()
        set_compression(made, source)
    put(made, PixelData=content + b"\0" * (len(content) % 2))
    made["PixelData"].VR = VR.OB
    made["PixelData"].is_undefined_length = lossy  # as encapsulated pixels are
    return finished(made, JPEGBaseline8Bit if lossy else ExplicitVRLittleEndian, when)
