"""The datasets that a run learns from: which of their images are trained on, under which terms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from retinagan.runtime import __version__
from retinagan.runtime.errors import OptionError
from retinagan.runtime.model.spec import Preprocessing
from retinagan.train.data.description import DataError, Description, checked_angle
from retinagan.train.data.files import Dataset, Sample, find_dataset, folder_name
from retinagan.train.data.images import TrainingImage, load_training_images, qualified
from retinagan.train.data.terms import narrowest


@dataclass(frozen=True)
class Source:
    """One dataset of a run.

    Attributes
    ----------
    folder : str
        Its folder's name, by which evaluation knows it again.
    dataset : Dataset
        What was found there.
    kept, held_out : list of Sample
        Images trained on, and images held out.
    """

    folder: str
    dataset: Dataset
    kept: list[Sample]
    held_out: list[Sample]

    def record(self) -> dict[str, Any]:
        """Return what a model's record says of the dataset."""
        angles = sorted({one.field_of_view for one in self.kept if one.field_of_view is not None})
        return {
            "name": self.dataset.name,
            "folder": self.folder,
            "split": self.dataset.description,
            "terms": self.dataset.terms,
            "field_of_view": angles,
            "training_images": [sample.name for sample in self.kept],
            "held_out_images": [sample.name for sample in self.held_out],
        }


@dataclass(frozen=True)
class TrainingData:
    """All that a run learns from.

    Attributes
    ----------
    sources : list of Source
        At least one.
    command : str
        The command that trained the model; recorded with it.
    """

    sources: list[Source]
    command: str = ""

    @property
    def count(self) -> int:
        """How many images are trained on."""
        return sum(len(source.kept) for source in self.sources)

    @property
    def held_out(self) -> list[Sample]:
        """Images held out, of all datasets."""
        return [sample for source in self.sources for sample in source.held_out]

    @property
    def terms(self) -> str:
        """Terms of use of the weights: the narrowest of the datasets'."""
        return narrowest({source.folder: source.dataset.terms for source in self.sources})

    def images(self, preprocessing: Preprocessing) -> list[TrainingImage]:
        """Read and cut the images to train on; raises `DataError` with a line for each that is unfit."""
        found, faults = [], []
        for source in self.sources:
            try:
                found += load_training_images(source.kept, preprocessing, self._label(source))
            except DataError as error:
                faults.append(str(error))
        if faults:
            raise DataError("\n".join(faults))
        return found

    def record(self) -> dict[str, Any]:
        """Return what the model's record says of the data."""

        def names(which: str) -> list[str]:
            return [
                qualified(self._label(source), sample.name)
                for source in self.sources
                for sample in getattr(source, which)
            ]

        return {
            "data": ", ".join(source.folder for source in self.sources),
            "datasets": [source.record() for source in self.sources],
            "terms": self.terms,
            "command": self.command,
            "software": {"retinagan": __version__, "torch": str(torch.__version__)},
            "training_images": names("kept"),
            "held_out_images": names("held_out"),
        }

    def _label(self, source: Source) -> str:
        """Return what tells a dataset's images from those of others; nothing where there are none."""
        return source.folder if len(self.sources) > 1 else ""


@dataclass(frozen=True)
class Given:
    """What the command line says of its datasets, each by its folder's name.

    Attributes
    ----------
    field_of_view : sequence of (str, float)
        Angles in degrees.
    test_images : sequence of (str, str)
        Patterns of file names, separated by commas.
    terms : sequence of str
        Terms of all datasets, or NAME=TERMS.
    """

    field_of_view: Sequence[tuple[str, float]] = ()
    test_images: Sequence[tuple[str, str]] = ()
    terms: Sequence[str] = ()

    def of(self, folders: Sequence[str]) -> dict[str, Description]:
        """Return what is said of each folder, by its name.

        Raises
        ------
        DataError
            If an option names no folder of --data, or an angle is out of range.
        """
        angles = dict(self.field_of_view)
        patterns = {name: tuple(text.split(",")) for name, text in self.test_images}
        for option, named in (("--field-of-view", angles), ("--test-images", patterns)):
            for name in named:
                if name not in folders:
                    raise DataError(f"{option} {name}=...: --data has {', '.join(folders)}, and no {name}")
        for name, degrees in angles.items():
            checked_angle(f"--field-of-view {name}", degrees)
        terms: dict[str, str] = {}
        for text in self.terms:
            name, equals, own = text.partition("=")
            terms |= {name: own} if equals and name in folders else dict.fromkeys(folders, text)
        return {
            folder: Description(
                field_of_view=angles.get(folder),
                terms=terms.get(folder, "").strip(),
                test=patterns.get(folder, ()),
            )
            for folder in folders
        }


def find_sources(folders: Sequence[str], split: str, held_out: int, given: Given) -> list[Source]:
    """Find the datasets of a run.

    Parameters
    ----------
    folders : sequence of str
        Their folders; no two may have one name.
    split : {"training", "all"}
        Which of their images.
    held_out : int
        How many images of each are held out.
    given : Given
        What is said of them.

    Raises
    ------
    DataError
        If a folder cannot be used, or two have one name.
    OptionError
        If a dataset has not more images than are to be held out.
    """
    names = [folder_name(folder) for folder in folders]
    twice = _first_repeated(names)
    if twice is not None:
        raise DataError(f"--data: two folders are named {twice}, but a model's record tells them by name")
    known, sources = given.of(names), []
    for folder, name in zip(folders, names, strict=True):
        dataset = find_dataset(folder, split, known[name])
        samples = dataset.samples
        if not 0 <= held_out < len(samples):
            raise OptionError(
                f"--validation {held_out}: expected 0 to {len(samples) - 1}, for {len(samples)} images of "
                f"{name}"
            )
        sources.append(Source(name, dataset, samples[held_out:], samples[:held_out]))
    return sources


def _first_repeated(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
