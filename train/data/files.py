"""The files of a dataset: which belong to which image, which images are wanted, and what does not fit.

A dataset is one folder in a layout (`layouts`), or has the folders `training` and `test`, each in a layout.
In a single folder, the rule of the layout selects the test images.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from retinagan.runtime.images.reading import SUFFIXES
from retinagan.train.data.description import FILE, DataError, Description, read_description
from retinagan.train.data.layouts import LAYOUTS, Layout, Role, layout_of

TRAINING, TEST, ALL = SPLITS = ("training", "test", "all")
"""The splits of a dataset."""

_COMPRESSED = ".ppm.gz"
_DOCUMENTS = ("README", "LICENSE", "LICENCE", "TERMS", "COPYING", "CITATION")


class NoneLeftError(DataError):
    """A dataset has too few images: the rule of its layout leaves none for the split."""


@dataclass(frozen=True)
class Sample:
    """The files of one image, and the angle of its camera in degrees if known."""

    name: str
    image: Path
    truth: Path
    fov: Path | None = None
    second: Path | None = None
    field_of_view: float | None = None


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
        print(f"{command}: warning: {note}", file=sys.stderr)


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
    matching = _Matching(root, layout)
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


@dataclass
class _Matching:
    """The files of one folder, matched by a layout."""

    root: Path
    layout: Layout
    notes: list[str] = field(default_factory=list)

    def samples(self) -> dict[str, Sample]:
        """Return samples by key, sorted; `notes` then has a line for each file that does not fit."""
        found = self._by_role()
        images, maps = found["image"], found["truth"]
        if not images:
            raise DataError(
                f"{self._place(self.layout.image)} holds no image of {self.layout.name}'s layout "
                f"({self.layout.told})"
            )
        missing = [
            f"{path}: no vessel map of it in {self._place(self.layout.truth)}; add it, or remove the image"
            for key, path in images.items()
            if key not in maps
        ]
        if missing:
            raise DataError("\n".join(missing))
        for name, files in found.items():
            strays = [path for key, path in files.items() if key not in images and name != "image"]
            self.notes += [f"{path}: no image of it; left out" for path in strays]
        self._note_missing_masks(images, found.get("fov"))
        masks, seconds = (found.get(name, {}) for name in ("fov", "second"))
        return {
            key: Sample(path.stem, path, maps[key], masks.get(key), seconds.get(key))
            for key, path in sorted(images.items())
        }

    def _by_role(self) -> dict[str, dict[str, Path]]:
        roles = self.layout.roles
        found: dict[str, dict[str, Path]] = {name: {} for name in roles}
        for folder in dict.fromkeys(name for role in roles.values() for name in role.folders):
            for path in _files(self.root / folder):
                if _is_document(path):
                    continue
                match = self._match(path, folder)
                if match is None:
                    self.notes.append(
                        f"{path}: fits nothing in {self.layout.name}'s layout ({self.layout.told}); left out"
                    )
                    continue
                name, key = match
                if key in found[name]:
                    raise DataError(f"{path} and {found[name][key]} both belong to image {key}: keep one")
                found[name][key] = path
        return found

    def _match(self, path: Path, folder: str) -> tuple[str, str] | None:
        if path.suffix.lower() not in SUFFIXES:
            return None
        for name, role in self.layout.roles.items():
            match = re.fullmatch(role.stem, path.stem)
            if folder in role.folders and match:
                return name, match.group(1)
        return None

    def _note_missing_masks(self, images: dict[str, Path], masks: dict[str, Path] | None) -> None:
        if masks is None or self.layout.fov is None:
            return
        place, instead = self._place(self.layout.fov), "the retina found in the image is used instead"
        if not masks:
            self.notes.append(f"{place}: no masks of the field of view; {instead}")
            return
        self.notes += [f"{path}: no mask in {place}; {instead}" for key, path in images.items()
                       if key not in masks]  # fmt: skip

    def _place(self, role: Role) -> Path:
        places = [self.root / name for name in role.folders]
        return next((place for place in places if place.is_dir()), places[0])


def _is_document(path: Path) -> bool:
    """Return whether a file describes the dataset, as README.md and dataset.json do."""
    if path.name == FILE:
        return True
    return path.suffix.lower() not in SUFFIXES and path.stem.upper().startswith(_DOCUMENTS)


def _files(folder: Path) -> list[Path]:
    """Return the visible files of a folder, sorted by name; raise `DataError` for compressed images."""
    if not folder.is_dir():
        return []
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    compressed = sum(path.name.lower().endswith(_COMPRESSED) for path in files)
    if compressed:
        raise DataError(f"{folder}: {compressed} images are compressed; type  gunzip {folder}/*.gz")
    return files


def folder_name(path: str | Path) -> str:
    """Return the name of a folder without its path."""
    return Path(path).resolve().name
