"""The coded concepts of the objects, and items of sequences that hold them."""

from typing import Any, NamedTuple

from pydicom.dataset import Dataset

from retinagan.runtime.dicom.elements import item


class Code(NamedTuple):
    """A coded concept: value, designator of the coding scheme, and meaning."""

    value: str
    scheme: str
    meaning: str


PRIVATE_SCHEME = "99RETINAGAN"
"""Designator of the codes that this package defines, for what no standard scheme has a code for."""

ANATOMICAL_STRUCTURE = Code("91723000", "SCT", "Anatomical Structure")
BLOOD_VESSEL = Code("59820001", "SCT", "Blood Vessel")
RETINA = Code("5665001", "SCT", "Retina")
SIDES = {"R": Code("24028007", "SCT", "Right"), "L": Code("7771000", "SCT", "Left")}
"""Which eye, by DICOM's letter of laterality."""

SIDE_VALUES = {
    **{code.value: letter for letter, code in SIDES.items()},
    "G-A100": "R",
    "G-A101": "L",
}
"""The letter of laterality by code value, in SNOMED CT and in the SNOMED RT that older files have."""

ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
SEGMENTATION = Code("113076", "DCM", "Segmentation")
SOURCE_OF_PROCESSING = Code("121322", "DCM", "Source image for image processing operation")


def coded(code: Code, **more: Any) -> list[Dataset]:
    """Return the one item of a code sequence; `more` are attributes beside the code's."""
    return [item(CodeValue=code.value, CodingSchemeDesignator=code.scheme, CodeMeaning=code.meaning, **more)]
