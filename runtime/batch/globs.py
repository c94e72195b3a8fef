"""Patterns of file names: ``*``, ``?`` and ``[`` stand for letters, ``**`` for any folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_WILDCARDS = "*?["


def has_wildcard(text: str) -> bool:
    """Whether a text is a pattern."""
    return any(sign in text for sign in _WILDCARDS)


def first_pattern(parts: Sequence[str]) -> int:
    """Return the place of the first part of a path that is a pattern; one must be."""
    return next(place for place, part in enumerate(parts) if has_wildcard(part))


def matches_of(pattern: str) -> tuple[Path, list[str]]:
    """Return the folder in which a pattern's first wildcard lies, and the paths that match, sorted.

    Hidden files and folders match only where the pattern names hidden ones.

    Raises
    ------
    ValueError, NotImplementedError
        If no name can match such a pattern.
    """
    parts = Path(pattern).parts
    fixed = first_pattern(parts)
    base, rest = Path(*parts[:fixed]), parts[fixed:]
    matches = sorted(base.glob("/".join(rest)))
    if not any(part.startswith(".") for part in rest):
        matches = [path for path in matches if not _is_hidden(path.relative_to(base))]
    return base, [str(path) for path in matches]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
