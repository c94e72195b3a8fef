"""Attributes set and read by keyword, whatever a file holds.

pydicom's own conversion warns of each value that is not valid, and names it in its log: the name of a patient
shall stand in none. So values are taken from their bytes here, and kept as they are.
"""

from collections.abc import Sequence
from typing import Any

from pydicom import config
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.valuerep import CUSTOMIZABLE_CHARSET_VR, STR_VR, TEXT_VR_DELIMS, PersonName, validate_value

_LARGEST_NUMBER = (1 << 31) - 1
_SINGLE = ("LT", "ST", "UT", "UR")  # texts in which a backslash separates nothing


def put(made: Dataset, **values: Any) -> Dataset:
    """Set attributes, and return the dataset. Values of the source are set even if they are invalid."""
    for keyword, value in values.items():
        tag = _tag(keyword)
        made.add(DataElement(tag, dictionary_VR(tag), value, validation_mode=config.IGNORE))
    return made


def item(**values: Any) -> Dataset:
    """Return a new dataset with these attributes."""
    return put(Dataset(), **values)


def encodings_of(header: Dataset, default: Sequence[str] = ()) -> list[str]:
    """Return Python's names of a dataset's character sets; `default`, or Latin 1, if it declares none."""
    names = [str(name or "") for name in values_of(header, "SpecificCharacterSet")]
    return convert_encodings(names) if any(names) else list(default) or convert_encodings(None)


def element_of(header: Dataset, keyword: str, encodings: Sequence[str] = ()) -> DataElement | None:
    """Return an attribute; None if it is absent, or no text and not readable.

    Texts of a file are one value, with the backslashes between their parts, so that they keep their bytes.

    Parameters
    ----------
    header : Dataset
        The attributes.
    keyword : str
        Which one.
    encodings : sequence of str
        Python's names of the character sets of texts; those of `header` if left out.
    """
    tag = _tag(keyword)
    if tag not in header:
        return None
    vr = dictionary_VR(tag)
    try:
        raw: Any = header.get_item(tag)
        if isinstance(raw, DataElement):
            return raw
        if vr not in STR_VR:
            element = header[tag]
            return element if vr == element.VR else None
    except Exception:  # pydicom meets damaged values with errors of any kind
        return None
    content = (raw.value or b"").rstrip(b" \0")
    value: Any
    if vr not in CUSTOMIZABLE_CHARSET_VR:
        value = content.decode("latin-1")
    elif vr == "PN":
        value = PersonName(content, encodings or encodings_of(header), validation_mode=config.IGNORE)
    else:
        value = decode_bytes(content, encodings or encodings_of(header), TEXT_VR_DELIMS)
    return DataElement(tag, vr, value, already_converted=True)


def values_of(header: Dataset, keyword: str) -> list[Any]:
    """Return an attribute's values, or the items of a sequence; none if it is absent or empty."""
    element = element_of(header, keyword)
    if element is None or element.value is None or element.value == "":
        return []
    if isinstance(element.value, str):
        return [element.value] if element.VR in _SINGLE else element.value.split("\\")
    many = hasattr(element.value, "__iter__") and not isinstance(element.value, PersonName)
    return list(element.value) if many else [element.value]


def text(header: Dataset, keyword: str) -> str:
    """Return an attribute's value as text; empty if it is absent, empty or of several values."""
    values = values_of(header, keyword)
    return str(values[0]).strip(" \0") if len(values) == 1 else ""


def valid_text(header: Dataset, keyword: str, expected: str = "") -> str:
    """Return an attribute's value as text if it is valid by DICOM; empty otherwise.

    `expected` are words, separated by spaces, of which it must be one, if any are given.
    """
    value = text(header, keyword)
    if not value or (expected and value not in expected.split()):
        return ""
    try:
        validate_value(dictionary_VR(_tag(keyword)), value, config.RAISE)
    except ValueError:
        return ""
    return value


def whole_number(header: Dataset, keyword: str) -> int | None:
    """Return an attribute's value as a number from 0 that fits 32 bits; None if it is none."""
    try:
        number = int(text(header, keyword))
    except ValueError:
        return None
    return number if 0 <= number <= _LARGEST_NUMBER else None


def numbers(header: Dataset, keyword: str) -> list[float]:
    """Return an attribute's values as numbers; none if one of them is not a number."""
    try:
        return [float(value) for value in values_of(header, keyword)]
    except (TypeError, ValueError):
        return []


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    return int(tag)
