"""What a dataset's own `dataset.json` says: its camera's angle, its terms and citation, which images test."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from retinagan.runtime.errors import RetinaGanError

FILE = "dataset.json"
_NARROWEST, _WIDEST = 10.0, 220.0
_KEYS = ("name", "field_of_view", "terms", "citation", "exceptions", "test")
_Number = int | float


class DataError(RetinaGanError, ValueError):
    """A dataset folder cannot be used; the text has a line for each file that is wrong."""


@dataclass(frozen=True)
class Description:
    """Facts about a dataset beside its files; empty or None values are unknown.

    Attributes
    ----------
    name : str
        The dataset's name; its folder's name where this is empty.
    field_of_view : float or None
        Angle that the retina's disc subtends, in degrees.
    terms : str
        Terms of use.
    citation : str
        The publication to name with the data and with models trained on it.
    exceptions : mapping of str to float
        Angles of single images, by file name without suffix; glob patterns are allowed.
    test : tuple of str
        Glob patterns of the file names, without suffix, of the images that test; empty leaves it to the
        layout's rule.
    """

    name: str = ""
    field_of_view: float | None = None
    terms: str = ""
    citation: str = ""
    exceptions: Mapping[str, float] = field(default_factory=dict)
    test: tuple[str, ...] = ()

    def angle_of(self, name: str) -> float | None:
        """Return the angle of an image by its file name without suffix."""
        special = [angle for pattern, angle in self.exceptions.items() if fnmatch.fnmatchcase(name, pattern)]
        return special[0] if special else self.field_of_view

    def tests_with(self, name: str) -> bool:
        """Return whether one of the patterns in `test` fits an image's file name without suffix."""
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.test)


def read_description(folder: Path) -> Description:
    """Read a folder's `dataset.json`; a folder without one gives a description in which nothing is known.

    Raises
    ------
    DataError
        If the file is not JSON, or holds an unknown key or a value that is out of range.
    """
    path = folder / FILE
    if not path.is_file():
        return Description()
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a JSON file that can be read ({str(error)[:100]})") from None
    if not isinstance(values, dict):
        raise DataError(f"{path}: expected a JSON object with the keys {', '.join(_KEYS)}; all are optional")
    unknown = sorted(set(values) - set(_KEYS))
    if unknown:
        raise DataError(f"{path}: unknown key {unknown[0]!r}; expected {', '.join(_KEYS)}")
    angle = values.get("field_of_view")
    exceptions = _typed(path, values, "exceptions", dict, "an object of image names and degrees", {})
    patterns = _typed(path, values, "test", list, 'a list of image names or patterns, such as ["01_*"]', [])
    if not all(isinstance(pattern, str) and pattern for pattern in patterns):
        raise DataError(f'{path}: test: expected a list of image names or patterns, such as ["01_*"]')
    return Description(
        name=_typed(path, values, "name", str, "a text", ""),
        field_of_view=None if angle is None else _degrees(f"{path}: field_of_view", angle),
        terms=_typed(path, values, "terms", str, "a text", "").strip(),
        citation=_typed(path, values, "citation", str, "a text", "").strip(),
        exceptions={
            name: _degrees(f"{path}: exceptions: {name}", _bare(value)) for name, value in exceptions.items()
        },
        test=tuple(patterns),
    )


def _typed(path: Path, values: Mapping[str, Any], key: str, kind: type, wanted: str, default: Any) -> Any:
    value = values.get(key, default)
    if not isinstance(value, kind):
        raise DataError(f"{path}: {key}: got {str(value)[:40]!r}, expected {wanted}")
    return value


def _bare(value: object) -> object:
    """Return the number in {"field_of_view": number}, which an exception may be written as."""
    if isinstance(value, dict) and set(value) == {"field_of_view"}:
        return value["field_of_view"]
    return value


def _degrees(where: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, get_args(_Number)):
        raise DataError(f"{where}: got {str(value)[:40]!r}, expected a number of degrees, such as 45")
    return checked_angle(where, float(value))  # type: ignore[arg-type]


def checked_angle(where: str, degrees: float) -> float:
    """Return an angle in degrees; raises `DataError` if no fundus camera has it."""
    if not _NARROWEST <= degrees <= _WIDEST:
        raise DataError(f"{where}: got {degrees:g}, expected {_NARROWEST:g} to {_WIDEST:g} degrees")
    return degrees
