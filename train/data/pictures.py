"""Photographs of a dataset, doubted as `retina-run` doubts them: a scrambled one is refused."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from retinagan.runtime.console.wording import say_once
from retinagan.runtime.steps.picture import Picture, picture_warnings
from retinagan.runtime.warnings import ImageWarning
from retinagan.train.data.description import DataError

_REFUSED = "scrambled"
_WELCOME = "preprocessed"  # a model may be trained for pictures that were filtered before


def checked_picture(path: Path, picture: Picture) -> list[ImageWarning]:
    """Return what is doubtful about a photograph that is to be learned from or scored.

    Parameters
    ----------
    path : Path
        Its file.
    picture : Picture
        As `picture_of` returns it.

    Raises
    ------
    DataError
        If the picture is scrambled, as where the file is damaged and its decoder does not tell.
    """
    found = picture_warnings(picture)
    for warning in found:
        if warning.code == _REFUSED:
            raise DataError(f"{path}: {warning.message}; replace the file, or leave it and its map out")
    return [*picture.retina.warnings, *(warning for warning in found if warning.code != _WELCOME)]


def say_doubts(path: Path, warnings: Iterable[ImageWarning | str]) -> None:
    """Print warnings about a file on stderr, once however often it is read."""
    for warning in warnings:
        say_once(f"warning: {path}: {warning}")
