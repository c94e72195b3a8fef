"""The images of a dataset's folder: its layout, which images are wanted, and what is known of them.

A dataset is one folder in a layout (`layouts`), or has the folders `training` and `test`, each in a layout.
In a single folder, the rule of the layout selects the test images.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from retinagan.runtime.console.command import complain
from retinagan.train.data.description import DataError, Description, read_description
from retinagan.train.data.layouts import LAYOUTS, Layout, layout_of
from retinagan.train.data.matching import Matching, Sample

__all__ = [
    "ALL",
    "SPLITS",
    "TEST",
    "TRAINING",
    "Dataset",
    "NoneLeftError",
    "Sample",
    "find_dataset",
    "find_samples",
    "folder_name",
    "print_notes",
]

TRAINING, TEST, ALL = SPLITS = ("training", "test", "all")
"""The splits of a dataset."""


class NoneLeftError(DataError):
    """A dataset has too few images: the rule of its layout leaves none for the split."""


@dataclass(frozen=True)
class Dataset:
    """What was found in a folder.

    Attributes
    ----------
    layout : str
        Name of the layout.
    part : str
        Which images of the folder these are, in words.
    samples : list of Sample
        Sorted by name.
    notes : list of str
        One line for each file that does not fit, with the consequence.
    name : str
        Name of the dataset.
    terms, citation : str
        Terms of use, and the publication to name with the data; empty if unknown.
    """

    layout: str
    part: str
    samples: list[Sample]
    notes: list[str]
    name: str = ""
    terms: str = ""
    citation: str = ""

    @property
    def description(self) -> str:
        """The images of the dataset in one line."""
        names = [sample.name for sample in self.samples]
        listed = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        return f"{listed} ({self.layout} layout, {self.part})"


def print_notes(command: str, dataset: Dataset) -> None:
    """Print the notes of a dataset as warnings of a command, on stderr."""
    for note in dataset.notes:
        complain(command, f"warning: {note}")


def find_samples(folder: str | Path, split: str) -> list[Sample]:
    """List a dataset's images with their maps and masks: the samples of `find_dataset`."""
    return find_dataset(folder, split).samples


def find_dataset(folder: str | Path, split: str, given: Description | None = None) -> Dataset:
    """Find a dataset's images with their maps and masks.

    Parameters
    ----------
    folder : path
        Folder of the dataset.
    split : {"training", "test", "all"}
        Images to list.
    given : Description, optional
        Known facts; they override those of `dataset.json` and of the layout.

    Raises
    ------
    DataError
        If no layout fits, an image lacks its map, two files belong to one image, no image is left, or
        `dataset.json` cannot be used.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder: give the folder of a dataset, such as --data DRIVE")
    known = _merged(given or Description(), read_description(folder))
    known = dataclasses.replace(known, name=known.name or folder.resolve().name)
    halves = [half for half in (TRAINING, TEST) if (folder / half).is_dir()]
    if not halves:
        return _part(folder, split, known)
    if known.test:
        raise DataError(
            f"{folder} has the folders {' and '.join(halves)}, which say what tests: leave out the images "
            "to test with"
        )
    wanted = halves if split == ALL else [split]
    if not set(wanted) <= set(halves):
        raise DataError(f"{folder} has a folder {halves[0]} and none named {split}: expected both")
    found = [_part(folder / half, ALL, known) for half in wanted]
    return dataclasses.replace(
        found[0],
        part=f"folder {' and '.join(wanted)}",
        samples=[sample for half in found for sample in half.samples],
        notes=[note for half in found for note in half.notes],
    )


def _merged(first: Description, second: Description) -> Description:
    """Return the facts of the first, completed by those of the second."""
    return Description(
        name=first.name or second.name,
        field_of_view=second.field_of_view if first.field_of_view is None else first.field_of_view,
        terms=first.terms or second.terms,
        citation=first.citation or second.citation,
        # An angle given for the whole dataset holds for all of its images.
        exceptions=second.exceptions if first.field_of_view is None else first.exceptions,
        test=first.test or second.test,
    )


def _part(root: Path, split: str, known: Description) -> Dataset:
    layout = layout_of(root)
    if layout is None:
        raise _unknown(root)
    of_layout = Description(field_of_view=layout.field_of_view, terms=layout.terms, citation=layout.citation)
    known = _merged(known, of_layout)
    matching = Matching(root, layout)
    samples = {
        key: dataclasses.replace(sample, field_of_view=known.angle_of(sample.name))
        for key, sample in matching.samples().items()
    }
    tests, rule = _testing(root, layout, known, samples)
    if split == ALL or not rule:
        part, chosen = "all images", list(samples.values())
    else:
        part = f"{split} images: {rule}"
        chosen = [sample for key, sample in samples.items() if (key in tests) == (split == TEST)]
    if not chosen:
        raise NoneLeftError(
            f"{root}: none of its {len(samples)} images is for {split} ({rule}): give --split all, "
            "or put the images into folders training and test"
        )
    return Dataset(layout.name, part, chosen, matching.notes, known.name, known.terms, known.citation)


def _testing(
    root: Path, layout: Layout, known: Description, samples: dict[str, Sample]
) -> tuple[set[str], str]:
    """Return the keys of the test images and the rule; an empty rule if the folder is used whole."""
    if known.test:
        fitting = {key for key, sample in samples.items() if known.tests_with(sample.name)}
        told = " ".join(known.test)
        if not fitting:
            raise DataError(
                f"{root}: no image matches {told}, the images reserved for testing; it has "
                f"{len(samples)} images, the first is {next(iter(samples.values())).name}"
            )
        return fitting, f"{told} test"
    if layout.is_test is None:
        return set(), ""
    numbered = enumerate(samples)
    return {key for place, key in numbered if layout.is_test(place, key, len(samples))}, layout.rule


def _unknown(root: Path) -> DataError:
    known = "\n".join(f"  {layout.name}: {layout.told}" for layout in LAYOUTS)
    return DataError(
        f"{root} holds no dataset of a known layout, at its top or in folders training and test:\n{known}"
    )


def folder_name(path: str | Path) -> str:
    """Return the name of a folder without its path."""
    return Path(path).resolve().name
