"""Content items of a structured report (PS3.3 C.17.3): name, value, and relation to the item above."""

from typing import Any

from pydicom.dataset import Dataset

from retinagan.runtime.dicom.codes import Code, coded
from retinagan.runtime.dicom.elements import item, put

CONTAINS = "CONTAINS"
CONTEXT = "HAS OBS CONTEXT"
MODIFIER = "HAS CONCEPT MOD"


def container(name: Code, template: str = "", children: list[Dataset] | None = None) -> Dataset:
    """Return an item that holds others; `template` is the number of the template that it follows."""
    made = _content("CONTAINER", CONTAINS, name, ContinuityOfContent="SEPARATE")
    if template:
        put(made, ContentTemplateSequence=[item(MappingResource="DCMR", TemplateIdentifier=template)])
    return put(made, ContentSequence=children) if children else made


def code_item(relation: str, name: Code, value: Code, children: list[Dataset] | None = None) -> Dataset:
    """Return an item with a coded value."""
    made = _content("CODE", relation, name, ConceptCodeSequence=coded(value))
    return put(made, ContentSequence=children) if children else made


def text_item(relation: str, name: Code, value: str) -> Dataset:
    """Return an item with a text."""
    return _content("TEXT", relation, name, TextValue=value)


def uid_item(relation: str, name: Code, value: str) -> Dataset:
    """Return an item with a UID."""
    return _content("UIDREF", relation, name, UID=value)


def number_item(name: Code, value: float, unit: Code, children: list[Dataset] | None = None) -> Dataset:
    """Return an item with a number and its unit."""
    measured = item(NumericValue=f"{value:.6g}", MeasurementUnitsCodeSequence=coded(unit))
    made = _content("NUM", CONTAINS, name, MeasuredValueSequence=[measured])
    return put(made, ContentSequence=children) if children else made


def image_item(name: Code, reference: Dataset) -> Dataset:
    """Return an item that refers to an image."""
    return _content("IMAGE", CONTAINS, name, ReferencedSOPSequence=[reference])


def _content(kind: str, relation: str, name: Code, **more: Any) -> Dataset:
    return item(RelationshipType=relation, ValueType=kind, ConceptNameCodeSequence=coded(name), **more)
