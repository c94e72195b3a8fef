"""What a command line states about its datasets: cameras' angles, images that test, terms, citations."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass

from retinagan.train.data.description import DataError, Description, checked_angle

KNOWN, ASSUMED = "known", "assumed"
"""Whether a model gets the camera's angle, if the dataset has it, or uses its own assumption."""

_FOLDER_NAME = re.compile(r"[\w.-]+")


@dataclass(frozen=True)
class Given:
    """Facts about datasets, by the names of their folders.

    Attributes
    ----------
    field_of_view : sequence of (str, float)
        Angles in degrees.
    test_images : sequence of (str, str)
        Patterns of file names, separated by commas.
    terms : sequence of str
        Terms of all datasets, or NAME=TERMS.
    citations : sequence of (str, str)
        Publications to name with the data.
    """

    field_of_view: Sequence[tuple[str, float]] = ()
    test_images: Sequence[tuple[str, str]] = ()
    terms: Sequence[str] = ()
    citations: Sequence[tuple[str, str]] = ()

    def of(self, folders: Sequence[str]) -> dict[str, Description]:
        """Return the description of each folder, by its name.

        Raises
        ------
        DataError
            If an option names no folder of --data, or an angle is out of range.
        """
        angles = dict(self.field_of_view)
        patterns = {name: tuple(text.split(",")) for name, text in self.test_images}
        terms = _terms(self.terms, folders)
        citations = dict(self.citations)
        for option, named in (
            ("--field-of-view", angles),
            ("--test-images", patterns),
            ("--terms", terms),
            ("--citation", citations),
        ):
            for name in named:
                if name not in folders:
                    raise DataError(
                        f"{option} {name}=...: no folder of --data has this name; its folders: "
                        f"{', '.join(folders)}"
                    )
        for name, degrees in angles.items():
            checked_angle(f"--field-of-view {name}", degrees)
        return {
            folder: Description(
                field_of_view=angles.get(folder),
                terms=terms.get(folder, "").strip(),
                citation=citations.get(folder, ""),
                test=patterns.get(folder, ()),
            )
            for folder in folders
        }


def _terms(texts: Sequence[str], folders: Sequence[str]) -> dict[str, str]:
    """Return the terms by folder; a text without a name, or one that is a sentence, is for all folders."""
    terms: dict[str, str] = {}
    for text in texts:
        name, equals, own = text.partition("=")
        named = equals and (name in folders or _FOLDER_NAME.fullmatch(name))
        terms |= {name: own} if named else dict.fromkeys(folders, text)
    return terms


def named_text(text: str) -> tuple[str, str]:
    """Return name and value of an argument NAME=VALUE.

    Raises
    ------
    argparse.ArgumentTypeError
        If one of them is empty.
    """
    name, equals, value = text.partition("=")
    if not (name and equals and value.strip()):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected NAME=VALUE, where NAME is a dataset folder")
    return name, value.strip()


def named_angle(text: str) -> tuple[str, float]:
    """Return name and degrees of an argument NAME=DEGREES.

    Raises
    ------
    argparse.ArgumentTypeError
        If the name is empty, or the value is not a number.
    """
    name = text.partition("=")[0] if "=" in text else ""
    try:
        if name:
            return name, float(text[len(name) + 1 :])
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(
        f"got {text!r}, expected the name of a dataset folder and degrees, such as {name or 'NAME'}=45"
    )
