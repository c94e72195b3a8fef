"""Photographs of a dataset, doubted as `retina-run` doubts them: a scrambled one is refused."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.console.wording import say
from retinagan.runtime.retina.find import Retina
from retinagan.runtime.steps.picture import picture_of, picture_warnings
from retinagan.runtime.warnings import ImageWarning
from retinagan.train.data.description import DataError

_REFUSED = "scrambled"
_WELCOME = "preprocessed"  # a model may be trained for pictures that were filtered before


def checked_picture(path: Path, image: NDArray[np.uint8], retina: Retina) -> list[ImageWarning]:
    """Return what is doubtful about a photograph that is to be learned from or scored.

    Parameters
    ----------
    path : Path
        Its file.
    image : (H, W, 3) uint8
        RGB.
    retina : Retina
        The retina found in it.

    Raises
    ------
    DataError
        If the picture is scrambled, as where the file is damaged and its decoder does not tell.
    """
    found = picture_warnings(picture_of(image, retina))
    for warning in found:
        if warning.code == _REFUSED:
            raise DataError(f"{path}: {warning.message}; replace the file, or leave it and its map out")
    return [*retina.warnings, *(warning for warning in found if warning.code != _WELCOME)]


def say_doubts(path: Path, warnings: list[ImageWarning]) -> None:
    """Print warnings about a photograph on stderr, once however often it is read."""
    for warning in warnings:
        _say_once(f"warning: {path}: {warning}")


@cache
def _say_once(line: str) -> None:
    say(line, sys.stderr)
