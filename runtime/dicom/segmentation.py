"""DICOM Segmentation objects (PS3.3 A.51): the vessel map, and the probability of vessel."""

from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pydicom.valuerep import VR

from retinagan.runtime.dicom.algorithm import Algorithm
from retinagan.runtime.dicom.codes import (
    ANATOMICAL_STRUCTURE,
    BLOOD_VESSEL,
    RETINA,
    SEGMENTATION,
    SIDES,
    coded,
)
from retinagan.runtime.dicom.derived import Kind, derived, finished, set_compression, set_references
from retinagan.runtime.dicom.elements import item, put
from retinagan.runtime.dicom.identity import uid_of
from retinagan.runtime.dicom.source import Source

SEGMENTATION_STORAGE = UID("1.2.840.10008.5.1.4.1.1.66.4")
_VESSELS = Kind(SEGMENTATION_STORAGE, "SEG", 1, "Blood vessels", frame_of_reference=True)
_PROBABILITY = Kind(SEGMENTATION_STORAGE, "SEG", 2, "Blood vessels, probability", frame_of_reference=True)
_LARGEST_FRACTION = 255
_COLOR = (59393, 21588, 36408)  # the overlay's green as CIELab (PS3.3 C.10.7.1.1)
_REFERENCED_SEGMENT, _SEGMENT_IDENTIFICATION = 0x0062000B, 0x0062000A


def vessel_segmentation(
    source: Source, vessels: NDArray[np.bool_], algorithm: Algorithm, when: datetime | None = None
) -> Dataset:
    """Return a vessel map as a segmentation of type BINARY: one segment, one bit for each pixel.

    Parameters
    ----------
    source : Source
        The frame that was segmented.
    vessels : (H, W) bool array
        True on vessels; of the source's size.
    algorithm : Algorithm
        What computed the map.
    when : datetime, optional
        When; now if left out.
    """
    made = put(
        _segmentation(source, algorithm, _VESSELS),
        SegmentationType="BINARY",
        ContentLabel="VESSELS",
        BitsAllocated=1,
        BitsStored=1,
        HighBit=0,
    )
    _set_pixels(made, vessels.shape, np.packbits(vessels.ravel(), bitorder="little").tobytes())
    return finished(made, ExplicitVRLittleEndian, when)


def probability_segmentation(
    source: Source, probability: NDArray[np.float32], algorithm: Algorithm, when: datetime | None = None
) -> Dataset:
    """Return the probability of vessel as a segmentation of type FRACTIONAL, in steps of 1/255.

    Parameters
    ----------
    source : Source
        The frame that was segmented.
    probability : (H, W) float32 array
        In [0, 1]; of the source's size.
    algorithm : Algorithm
        What computed the map.
    when : datetime, optional
        When; now if left out.
    """
    made = put(
        _segmentation(source, algorithm, _PROBABILITY),
        SegmentationType="FRACTIONAL",
        SegmentationFractionalType="PROBABILITY",
        MaximumFractionalValue=_LARGEST_FRACTION,
        ContentLabel="VESSEL_PROB",
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
    )
    levels = np.rint(probability * np.float32(_LARGEST_FRACTION)).astype(np.uint8)
    _set_pixels(made, probability.shape, levels.tobytes())
    return finished(made, ExplicitVRLittleEndian, when)


def _segmentation(source: Source, algorithm: Algorithm, kind: Kind) -> Dataset:
    """Return all of a segmentation but its type and pixels."""
    organization = uid_of("dimensions", source.sop_instance, str(source.frame))
    made = put(
        derived(source, algorithm, kind),
        ImageType=["DERIVED", "PRIMARY"],
        ContentDescription="Blood vessels of the retina",
        ContentCreatorName=None,
        NumberOfFrames=1,
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        PixelRepresentation=0,
        SegmentSequence=[_segment(source, algorithm)],
        DimensionOrganizationSequence=[item(DimensionOrganizationUID=organization)],
        DimensionIndexSequence=[
            item(
                DimensionOrganizationUID=organization,
                DimensionIndexPointer=_REFERENCED_SEGMENT,
                FunctionalGroupPointer=_SEGMENT_IDENTIFICATION,
                DimensionDescriptionLabel="Segment Number",
            )
        ],
    )
    set_compression(made, source)
    set_references(made, source)
    shared = item(SegmentIdentificationSequence=[item(ReferencedSegmentNumber=1)])
    derivation = item(
        DerivationCodeSequence=coded(SEGMENTATION), SourceImageSequence=[source.reference_as_source()]
    )
    own = item(FrameContentSequence=[item(DimensionIndexValues=[1])], DerivationImageSequence=[derivation])
    return put(made, SharedFunctionalGroupsSequence=[shared], PerFrameFunctionalGroupsSequence=[own])


def _segment(source: Source, algorithm: Algorithm) -> Dataset:
    region = coded(RETINA)
    if source.laterality:
        put(region[0], AnatomicRegionModifierSequence=coded(SIDES[source.laterality]))
    return item(
        SegmentNumber=1,
        SegmentLabel="Blood vessels",
        SegmentDescription="Blood vessels of the retina",
        SegmentAlgorithmType="AUTOMATIC",
        SegmentAlgorithmName=algorithm.name,
        SegmentationAlgorithmIdentificationSequence=algorithm.identification(),
        SegmentedPropertyCategoryCodeSequence=coded(ANATOMICAL_STRUCTURE),
        SegmentedPropertyTypeCodeSequence=coded(BLOOD_VESSEL),
        AnatomicRegionSequence=region,
        RecommendedDisplayCIELabValue=list(_COLOR),
    )


def _set_pixels(made: Dataset, shape: tuple[int, ...], content: bytes) -> None:
    put(made, Rows=shape[0], Columns=shape[1], PixelData=content + b"\0" * (len(content) % 2))
    made["PixelData"].VR = VR.OB
