"""The datasets of a run: which of their images are trained on, and under which terms."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from retinagan.runtime import __version__
from retinagan.runtime.errors import OptionError
from retinagan.runtime.model.parameters import Preprocessing
from retinagan.train.data.description import DataError
from retinagan.train.data.files import Dataset, Sample, find_dataset, folder_name
from retinagan.train.data.given import Given
from retinagan.train.data.images import TrainingImage, load_training_images, qualified
from retinagan.train.data.matching import BOTH, FIRST, SECOND
from retinagan.train.data.terms import narrowest


@dataclass(frozen=True)
class Source:
    """One dataset of a run.

    Attributes
    ----------
    folder : str
        Name of its folder, by which evaluation recognises it.
    dataset : Dataset
        What was found in the folder.
    kept, held_out : list of Sample
        Images trained on, and images held out.
    """

    folder: str
    dataset: Dataset
    kept: list[Sample]
    held_out: list[Sample]

    def record(self) -> dict[str, Any]:
        """Return the entry of the dataset in a model's record."""
        angles = sorted({one.field_of_view for one in self.kept if one.field_of_view is not None})
        return {
            "name": self.dataset.name,
            "folder": self.folder,
            "split": self.dataset.description,
            "terms": self.dataset.terms,
            "citation": self.dataset.citation,
            "field_of_view": angles,
            "training_images": [sample.name for sample in self.kept],
            "held_out_images": [sample.name for sample in self.held_out],
        }


@dataclass(frozen=True)
class TrainingData:
    """All datasets of a run.

    Attributes
    ----------
    sources : list of Source
        At least one.
    command : str
        Command that trains the model; kept in its record.
    experts : {"first", "second", "both"}
        Whose vessel maps are learned from, of `sources` found with the same.
    """

    sources: list[Source]
    command: str = ""
    experts: str = FIRST

    @property
    def count(self) -> int:
        """Number of images that are trained on."""
        return sum(len(source.kept) for source in self.sources)

    @property
    def held_out(self) -> list[Sample]:
        """Held-out images of all datasets."""
        return [sample for source in self.sources for sample in source.held_out]

    @property
    def terms(self) -> str:
        """Terms of use of the weights: the narrowest of the datasets'."""
        return narrowest({source.folder: source.dataset.terms for source in self.sources})

    def images(self, preprocessing: Preprocessing) -> list[TrainingImage]:
        """Read and crop the images to train on; raise `DataError` with a line for each unusable one."""
        found, faults = [], []
        for source in self.sources:
            try:
                found += load_training_images(
                    source.kept, preprocessing, self._label(source), both=self.experts == BOTH
                )
            except DataError as error:
                faults.append(str(error))
        if faults:
            raise DataError("\n".join(faults))
        return found

    def record(self) -> dict[str, Any]:
        """Return the entries of the data in the model's record."""

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
        """Return the name that qualifies the images of a dataset; empty if there is only one dataset."""
        return source.folder if len(self.sources) > 1 else ""


def find_sources(
    folders: Sequence[str], split: str, held_out: int, given: Given, experts: str = FIRST
) -> list[Source]:
    """Find the datasets of a run.

    Parameters
    ----------
    folders : sequence of str
        Folders, all of different names.
    split : {"training", "all"}
        Images to use.
    held_out : int
        Number of images of each dataset to hold out.
    given : Given
        What the command line states about them.
    experts : {"first", "second", "both"}
        Whose vessel maps are learned from. With "second" they take the place of the first expert's.

    Raises
    ------
    DataError
        If a folder cannot be used, two folders have one name, or there is no second expert's map where one is
        needed: of each image for "second", of any for "both".
    OptionError
        If a dataset has too few images to hold out so many.
    """
    names = [folder_name(folder) for folder in folders]
    twice = _first_repeated(names)
    if twice is not None:
        raise DataError(
            f"--data: two folders are named {twice}, but a model's record names them by folder: rename one"
        )
    known, sources = given.of(names), []
    for folder, name in zip(folders, names, strict=True):
        dataset = find_dataset(folder, split, known[name])
        samples = _by_second(dataset.samples) if experts == SECOND else dataset.samples
        if not 0 <= held_out < len(samples):
            raise OptionError(
                f"--validation {held_out}: expected 0 to {len(samples) - 1}, for {len(samples)} images of "
                f"{name}"
            )
        sources.append(Source(name, dataset, samples[held_out:], samples[:held_out]))
    if experts == BOTH and all(sample.second is None for source in sources for sample in source.kept):
        raise DataError(f"--experts both: no image has a second expert's map, {_WHERE}: leave the option out")
    return sources


_WHERE = "which is in 2nd_manual/ or labels2/, or named as the layout asks (docs/training.md)"


def _by_second(samples: Iterable[Sample]) -> list[Sample]:
    """Return samples with their experts exchanged."""
    found = []
    for sample in samples:
        if sample.second is None:
            raise DataError(
                f"--experts second: {sample.image} has no second expert's map, {_WHERE}: add it, or take "
                "--experts both, which needs only some"
            )
        found.append(dataclasses.replace(sample, truth=sample.second, second=sample.truth))
    return found


def _first_repeated(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
