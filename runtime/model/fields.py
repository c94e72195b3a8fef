"""Dataclass fields with type, range and meaning, from which parsing, checks and error messages follow.

A frozen dataclass declares each field with ``metadata=described(...)`` and calls `check_fields(self)` in
``__post_init__``. `from_mapping` builds it from parsed JSON.
"""

import dataclasses
import math
import numbers
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from retinagan.runtime.errors import ModelError

T = TypeVar("T")
_RULE = "rule"


class FieldError(ModelError):
    """A field's value is missing, unknown, ill-typed or out of range; `key` is its dotted name."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key
        self.problem = problem


@dataclasses.dataclass(frozen=True)
class Rule:
    """The meaning and limits of a field; `required` says whether a file must contain it."""

    doc: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    pattern: str | None = None
    required: bool = True


def described(doc: str, **limits: Any) -> dict[str, Rule]:
    """Return a field's metadata: its meaning and, as keywords, the limits of `Rule`."""
    return {_RULE: Rule(doc, **limits)}


def is_number(value: object) -> bool:
    """Whether a value is a real number, of Python or of NumPy."""
    return isinstance(value, numbers.Real)


def check_fields(instance: Any) -> None:
    """Check every field of a frozen dataclass against its rule; numbers become plain int and float.

    Raises
    ------
    FieldError
        With the key, the value and what was expected.
    """
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        checked = _checked(value, field.type, field.metadata[_RULE])
        if checked is _INVALID:
            raise FieldError(field.name, f"got {shown(value)}; expected {_expected(field)}")
        object.__setattr__(instance, field.name, checked)


def from_mapping(cls: type[T], values: object) -> T:
    """Build a dataclass of described fields from parsed JSON.

    Raises
    ------
    FieldError
        If a key is unknown, missing, ill-typed or out of range; it is named with dots.
    """
    if not isinstance(values, Mapping):
        raise FieldError(cls.__name__, f"got {shown(values)}; expected an object of keys and values")
    fields = {field.name: field for field in dataclasses.fields(typing.cast(Any, cls))}
    for key in values:
        if key not in fields:
            raise FieldError(_in_short(str(key)), f"unknown key; expected one of {', '.join(sorted(fields))}")
    arguments = {}
    for name, field in fields.items():
        if name in values:
            arguments[name] = _from_json(name, values[name], field.type)
        elif field.metadata[_RULE].required:
            raise FieldError(name, f"missing; expected {_expected(field)}")
    return cls(**arguments)


_INVALID = object()


def _from_json(name: str, value: object, kind: Any) -> object:
    """Convert JSON objects and lists to nested dataclasses and tuples."""
    if isinstance(kind, types.UnionType):
        if value is None:
            return None
        kind = typing.get_args(kind)[0]
    if dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
        try:
            return from_mapping(typing.cast(type, kind), value)
        except FieldError as error:
            raise FieldError(f"{name}.{error.key}", error.problem) from None
    if typing.get_origin(kind) is tuple and isinstance(value, list):
        return tuple(value)
    return value


def _checked(value: Any, kind: Any, rule: Rule) -> object:
    """Return the value as its plain type, or `_INVALID`."""
    if isinstance(kind, types.UnionType):
        if value is None:
            return None
        kind = typing.get_args(kind)[0]
    if typing.get_origin(kind) is tuple:
        kinds = typing.get_args(kind)
        if not isinstance(value, tuple) or len(value) != len(kinds):
            return _INVALID
        items = tuple(_checked(item, item_kind, rule) for item, item_kind in zip(value, kinds, strict=True))
        return _INVALID if _INVALID in items else items
    if typing.get_origin(kind) is Mapping:
        valid = isinstance(value, Mapping) and all(isinstance(key, str) for key in value)
        return dict(value) if valid else _INVALID
    if kind in (int, float):
        return _checked_number(value, kind, rule)
    return value if isinstance(value, kind) and _text_allowed(value, rule) else _INVALID


def _checked_number(value: Any, kind: type[int] | type[float], rule: Rule) -> object:
    wanted = numbers.Integral if kind is int else numbers.Real
    if isinstance(value, bool) or not isinstance(value, wanted):
        return _INVALID
    try:
        number = kind(typing.cast(Any, value))
    except OverflowError:
        return _INVALID
    low = -math.inf if rule.low is None else rule.low
    high = math.inf if rule.high is None else rule.high
    return number if math.isfinite(number) and low <= number <= high else _INVALID


def _text_allowed(value: object, rule: Rule) -> bool:
    if rule.choices and value not in rule.choices:
        return False
    return rule.pattern is None or re.fullmatch(rule.pattern, str(value)) is not None


def _expected(field: "dataclasses.Field[Any]") -> str:
    """Describe the values that a field takes and, in brackets, its meaning."""
    rule: Rule = field.metadata[_RULE]
    kind: Any = field.type
    if isinstance(kind, types.UnionType):
        kind = typing.get_args(kind)[0]
    if rule.choices:
        words = "one of " + ", ".join(f'"{choice}"' for choice in rule.choices)
    elif typing.get_origin(kind) is tuple:
        words = f"{len(typing.get_args(kind))} numbers"
    elif typing.get_origin(kind) is Mapping or dataclasses.is_dataclass(kind):
        words = "an object of keys and values"
    else:
        words = {int: "a whole number", float: "a number", str: "a string"}[kind]
    if rule.low is not None and rule.high is not None:
        words += f" from {rule.low:g} to {rule.high:g}"
    return f"{words} ({rule.doc})"


def shown(value: object) -> str:
    """Return a value as one short line of text."""
    return _in_short(f'"{value}"' if isinstance(value, str) else repr(value))


def _in_short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."
