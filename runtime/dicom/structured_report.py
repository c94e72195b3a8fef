"""Measurement reports: a DICOM Structured Report by templates TID 1500 and TID 1501 (PS3.16)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from retinagan.runtime.dicom.algorithm import Algorithm
from retinagan.runtime.dicom.codes import (
    ANATOMICAL_STRUCTURE,
    ARTIFICIAL_INTELLIGENCE,
    BLOOD_VESSEL,
    PRIVATE_SCHEME,
    RETINA,
    SIDES,
    Code,
)
from retinagan.runtime.dicom.content import (
    CONTAINS,
    CONTEXT,
    MODIFIER,
    code_item,
    container,
    image_item,
    number_item,
    text_item,
    uid_item,
)
from retinagan.runtime.dicom.derived import Kind, derived, finished
from retinagan.runtime.dicom.elements import item, put
from retinagan.runtime.dicom.identity import uid_of
from retinagan.runtime.dicom.mark import PRODUCT
from retinagan.runtime.dicom.source import Source

COMPREHENSIVE_SR_STORAGE = UID("1.2.840.10008.5.1.4.1.1.88.33")
_KIND = Kind(COMPREHENSIVE_SR_STORAGE, "SR", 4, "Measures of blood vessels", is_image=False)
_SCHEME_UID = UID("2.25.202519106346913917411834061310923456478")
_SCHEME_VERSION = "1"

AREA = Code("42798000", "SCT", "Area")
FRACTAL_DIMENSION = Code("126050", "DCM", "Fractal Dimension")
VESSEL_DENSITY = Code("VESSEL_DENSITY", PRIVATE_SCHEME, "Vessel area as a share of the retina's")
RATIO = Code("1", "UCUM", "no units")
SQUARE_MILLIMETRES = Code("mm2", "UCUM", "mm2")


@dataclass(frozen=True)
class Measure:
    """A number with its coded name and unit."""

    name: Code
    value: float
    unit: Code


def measurement_report(
    source: Source, measures: Sequence[Measure], algorithm: Algorithm, when: datetime | None = None
) -> Dataset:
    """Return the measures of one image as a Comprehensive SR.

    Parameters
    ----------
    source : Source
        The frame that was measured.
    measures : sequence of Measure
        What was measured, in the order in which it is shown; at least one.
    algorithm : Algorithm
        What computed the vessel map.
    when : datetime, optional
        When; now if left out.
    """
    made = put(
        derived(source, algorithm, _KIND),
        CompletionFlag="COMPLETE",
        VerificationFlag="UNVERIFIED",
        ReferencedPerformedProcedureStepSequence=[],
        PerformedProcedureCodeSequence=[],
        CurrentRequestedProcedureEvidenceSequence=[_evidence(source)],
    )
    if any(measure.name.scheme == PRIVATE_SCHEME for measure in measures):
        put(made, CodingSchemeIdentificationSequence=[_private_scheme()])
    report = container(
        Code("126000", "DCM", "Imaging Measurement Report"),
        "1500",
        [
            code_item(
                MODIFIER,
                Code("121049", "DCM", "Language of Content Item and Descendants"),
                Code("en", "RFC5646", "English"),
            ),
            *_observer(algorithm),
            code_item(
                MODIFIER,
                Code("121058", "DCM", "Procedure reported"),
                Code("363679005", "SCT", "Imaging procedure"),
            ),
            container(
                Code("126010", "DCM", "Imaging Measurements"),
                children=[_group(source, measures, algorithm)],
            ),
        ],
    )
    del report.RelationshipType  # the root has no item above it
    made.update(report)
    return finished(made, ExplicitVRLittleEndian, when)


def _group(source: Source, measures: Sequence[Measure], algorithm: Algorithm) -> Dataset:
    """Return the measures with what they were measured on (TID 1501)."""
    side = SIDES.get(source.laterality)
    laterality = [] if side is None else [code_item(MODIFIER, Code("272741003", "SCT", "Laterality"), side)]
    label = "Blood vessels of the retina" + (f", {side.meaning.lower()} eye" if side else "")
    tracking = uid_of("tracking", source.sop_instance, str(source.frame))
    return container(
        Code("125007", "DCM", "Measurement Group"),
        "1501",
        [
            text_item(CONTEXT, Code("112039", "DCM", "Tracking Identifier"), label),
            uid_item(CONTEXT, Code("112040", "DCM", "Tracking Unique Identifier"), tracking),
            code_item(CONTAINS, Code("276214006", "SCT", "Finding category"), ANATOMICAL_STRUCTURE),
            code_item(CONTAINS, Code("121071", "DCM", "Finding"), BLOOD_VESSEL),
            code_item(MODIFIER, Code("363698007", "SCT", "Finding Site"), RETINA, laterality),
            image_item(Code("121112", "DCM", "Source of Measurement"), source.reference()),
            text_item(MODIFIER, Code("111001", "DCM", "Algorithm Name"), algorithm.name),
            text_item(MODIFIER, Code("111003", "DCM", "Algorithm Version"), algorithm.version),
            text_item(MODIFIER, Code("122405", "DCM", "Algorithm Manufacturer"), PRODUCT),
            text_item(MODIFIER, Code("111002", "DCM", "Algorithm Parameters"), algorithm.parameters),
            code_item(MODIFIER, Code("111000", "DCM", "Algorithm Family"), ARTIFICIAL_INTELLIGENCE),
            *(number_item(measure.name, measure.value, measure.unit) for measure in measures),
        ],
    )


def _observer(algorithm: Algorithm) -> list[Dataset]:
    """Return what observed: this program (TID 1002, 1004)."""
    device = uid_of("device", algorithm.model, algorithm.model_sha256, algorithm.version)
    return [
        code_item(CONTEXT, Code("121005", "DCM", "Observer Type"), Code("121007", "DCM", "Device")),
        uid_item(CONTEXT, Code("121012", "DCM", "Device Observer UID"), device),
        text_item(CONTEXT, Code("121013", "DCM", "Device Observer Name"), PRODUCT),
        text_item(CONTEXT, Code("121014", "DCM", "Device Observer Manufacturer"), PRODUCT),
        text_item(CONTEXT, Code("121015", "DCM", "Device Observer Model Name"), algorithm.name),
        text_item(CONTEXT, Code("121016", "DCM", "Device Observer Serial Number"), algorithm.serial_number),
    ]


def _evidence(source: Source) -> Dataset:
    """Return the study, the series and the image that the report rests on."""
    instance = item(ReferencedSOPClassUID=source.sop_class, ReferencedSOPInstanceUID=source.sop_instance)
    series = item(SeriesInstanceUID=source.series, ReferencedSOPSequence=[instance])
    return item(StudyInstanceUID=source.study, ReferencedSeriesSequence=[series])


def _private_scheme() -> Dataset:
    """Declare the scheme of our own codes (PS3.3 C.12.1.1.4)."""
    return item(
        CodingSchemeDesignator=PRIVATE_SCHEME,
        CodingSchemeUID=_SCHEME_UID,
        CodingSchemeName="Retina-GAN measures of retinal vessels",
        CodingSchemeVersion=_SCHEME_VERSION,
        CodingSchemeResponsibleOrganization=PRODUCT,
    )
