"""Match the files of a folder by its layout: which image, vessel map and mask belong together."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from retinagan.runtime.console.wording import counted
from retinagan.runtime.images.reading import SUFFIXES
from retinagan.train.data.description import FILE, DataError
from retinagan.train.data.layouts import Layout, Role

_COMPRESSED = ".ppm.gz"
_DOCUMENTS = ("README", "LICENSE", "LICENCE", "TERMS", "COPYING", "CITATION")


EXPERTS = (FIRST, SECOND, BOTH) = ("first", "second", "both")
"""Whose vessel maps are taken."""


@dataclass(frozen=True)
class Sample:
    """The files of one image, and the angle of its camera in degrees if known."""

    name: str
    image: Path
    truth: Path
    fov: Path | None = None
    second: Path | None = None
    field_of_view: float | None = None


@dataclass
class Matching:
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
            key: Sample(self._name(path), path, maps[key], masks.get(key), seconds.get(key))
            for key, path in sorted(images.items())
        }

    def _by_role(self) -> dict[str, dict[str, Path]]:
        roles = self.layout.roles
        found: dict[str, dict[str, Path]] = {name: {} for name in roles}
        for folder in dict.fromkeys(name for role in roles.values() for name in role.folders):
            for path in self._files_of(folder):
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

    def _files_of(self, folder: str) -> list[Path]:
        """Return the files in a folder, and in its subfolders where the layout's names may have folders."""
        top = self.root / folder
        below = _subfolders(top) if folder != "." else []
        if self.layout.nested:
            return [path for place in (top, *below) for path in _files(place)]
        for place in below:
            if count := sum(path.suffix.lower() in SUFFIXES for path in _files(place)):
                self.notes.append(
                    f"{place}: {counted(count, 'image')} in a subfolder, which {self.layout.name}'s layout "
                    "does not have; left out"
                )
        return _files(top)

    def _match(self, path: Path, folder: str) -> tuple[str, str] | None:
        if path.suffix.lower() not in SUFFIXES:
            return None
        for name, role in self.layout.roles.items():
            match = re.fullmatch(role.stem, path.stem)
            if folder in role.folders and match:
                return name, _below(path.parent, self.root / folder, match.group(1))
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

    def _name(self, image: Path) -> str:
        """Return an image's name: its file's without the suffix, after the subfolders in which it lies."""
        top = self._place(self.layout.image)
        return _below(image.parent, top, image.stem) if self.layout.nested else image.stem

    def _place(self, role: Role) -> Path:
        places = [self.root / name for name in role.folders]
        return next((place for place in places if place.is_dir()), places[0])


def _below(folder: Path, top: Path, name: str) -> str:
    """Return a name preceded by the folders that lead to it, with ``/`` between them: ``visit1/left``."""
    return (folder.relative_to(top) / name).as_posix()


def _subfolders(folder: Path) -> list[Path]:
    """Return the visible folders below a folder at any depth, sorted; links to folders are not followed."""
    found: list[Path] = []
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
                found += [path, *_subfolders(path)]
    return found


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
