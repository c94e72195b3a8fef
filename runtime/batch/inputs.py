"""Find the images that the arguments name: files, folders and globs, without decoding any."""

# Paths are text here: there may be 100,000, and no link in them may be resolved.
# ruff: noqa: PTH100, PTH112, PTH113, PTH119, PTH120, PTH122
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from retinagan.runtime.batch.pictures import is_own_picture
from retinagan.runtime.batch.shard import Shard
from retinagan.runtime.console.wording import counted
from retinagan.runtime.errors import ImageError, RetinaGanError
from retinagan.runtime.images.dicom.classes import DIRECTORY, class_name, is_photograph
from retinagan.runtime.images.dicom.directory import listed_files
from retinagan.runtime.images.formats import Look, look_at, looks_like_an_image
from retinagan.runtime.images.reading import SUFFIXES, count_frames

_EXAMPLES = 3
_DIGITS = re.compile(r"(\d+)")


class InputError(RetinaGanError):
    """An argument names no image: a missing path, a folder without images, or a glob without a match."""


@dataclass(frozen=True, slots=True)
class Input:
    """An image to read.

    `path` opens it. `name` is its path below the folder that all inputs share, with ``/`` between its
    parts: it names the image in the report and its results in the output folder. `frame` is which of the
    file's images it is, from 1; None takes the first.
    """

    path: str
    name: str
    frame: int | None = None


@dataclass(frozen=True)
class Found:
    """The images, in the natural order of their names, and what was skipped.

    `others` counts files in folders that are not images, and `examples` names some; `own` counts pictures
    that an earlier run wrote; `objects` counts DICOM objects that are no photographs, by class; `empty` lists
    folders without an image. Hidden files are not counted.
    """

    inputs: tuple[Input, ...]
    others: int = 0
    own: int = 0
    empty: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    objects: tuple[tuple[str, int], ...] = ()


def find_inputs(arguments: Sequence[str]) -> Found:
    """Find the images that the arguments name.

    A file is taken whatever its extension; a DICOMDIR gives the photographs that it lists. A folder gives all
    images in it and below it, by extension, or by content where a name has none, and DICOM files by content;
    a folder that is reached twice, as by a symbolic link, is read once. An argument that does not exist and
    holds ``*``, ``?`` or ``[`` is a glob, in which ``**`` stands for any folders. Hidden files and folders,
    pictures that `retina-run` wrote, and DICOM objects that are no photographs are left out of folders and
    globs.

    Parameters
    ----------
    arguments : sequence of str
        Files, folders and globs.

    Raises
    ------
    InputError
        If a path does not exist, a glob has no match, or there is no image at all.
    """
    search = _Search()
    roots = [search.add(argument) for argument in arguments]
    if not search.paths:
        raise InputError(_nothing_found(arguments, search))
    base = os.path.commonpath(roots)
    inputs = [Input(path, os.path.relpath(full, base)) for full, path in search.paths.items()]
    inputs.sort(key=lambda item: natural_order(item.name))
    return Found(
        tuple(inputs),
        search.others,
        search.own,
        tuple(search.empty),
        tuple(search.examples),
        search.named_objects(),
    )


def natural_order(name: str) -> tuple[list[str | int], str]:
    """Return a key that sorts names as people do: ``eye2`` before ``eye10``."""
    return [int(part) if number % 2 else part for number, part in enumerate(_DIGITS.split(name))], name


def every_frame(inputs: Sequence[Input], shard: Shard | None = None) -> tuple[Input, ...]:
    """Return an input for each full-size image of each file: ``visit.tif#1``, ``visit.tif#2``.

    Files of other shards are not opened; they stay one input.
    """
    expanded: list[Input] = []
    for item in inputs:
        frames = count_frames(item.path) if shard is None or shard.holds(item.name) else 1
        if frames == 1:
            expanded.append(item)
        else:
            expanded += [Input(item.path, f"{item.name}#{frame}", frame) for frame in range(1, frames + 1)]
    return tuple(expanded)


def is_input(path: str) -> bool:
    """Whether a file of a folder is an image to segment, and no picture that `retina-run` wrote."""
    return looks_like_an_image(path) and not is_own_picture(path)


@dataclass
class _Search:
    """The images found so far; `paths` by absolute path, so that an image named twice counts once."""

    paths: dict[str, str] = field(default_factory=dict)
    others: int = 0
    own: int = 0
    empty: list[str] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)
    objects: Counter[str] = field(default_factory=Counter)

    def named_objects(self) -> tuple[tuple[str, int], ...]:
        """Return the names of the classes of DICOM objects that are no photographs, and their counts."""
        return tuple((class_name(uid), count) for uid, count in self.objects.most_common() if count)

    def add(self, argument: str) -> str:
        """Add what an argument names; return the absolute path of the folder where its names start."""
        if os.path.isdir(argument):
            return self._add_folder(argument)
        if os.path.isfile(argument):
            if look_at(argument).dicom_class == DIRECTORY:
                return self._add_listed(argument)
            return self._add_file(argument)
        if os.path.lexists(argument):
            raise InputError(f"not an image file or a folder: {argument!r}")
        if not _has_magic(argument):
            raise InputError(f"no such file or folder: {argument!r}")
        return self._add_glob(argument)

    def _add_file(self, path: str) -> str:
        full = os.path.abspath(path)
        self.paths.setdefault(full, path)
        return os.path.dirname(full)

    def _add_listed(self, directory: str) -> str:
        """Add the photographs that a DICOMDIR lists."""
        try:
            listed = listed_files(directory)
        except ImageError as error:
            raise InputError(f"{directory!r}: {error}") from None
        for path, uid in listed:
            if is_photograph(uid) and look_at(path).is_own:
                self.own += 1
            elif is_photograph(uid):
                self._add_file(path)
            else:
                self.objects[uid] += 1
        return os.path.dirname(os.path.abspath(directory))

    def _add_folder(self, folder: str) -> str:
        before = len(self.paths)
        for path in files_below(folder):
            self._add_if_image(path)
        if len(self.paths) == before:
            self.empty.append(folder)
        return os.path.abspath(folder)

    def _add_if_image(self, path: str) -> None:
        look = Look(True) if os.path.isdir(path) else look_at(path)
        if look.dicom_class:
            self.objects[look.dicom_class] += look.dicom_class != DIRECTORY  # the folder has what it lists
        elif look.is_own or (look.is_image and is_own_picture(path)):
            self.own += 1
        elif not look.is_image:
            self.others += 1
            if len(self.examples) < _EXAMPLES:
                self.examples.append(os.path.basename(path))
        else:
            self._add_file(path)

    def _add_glob(self, pattern: str) -> str:
        base, rest = _split_pattern(pattern)
        try:
            matches = sorted(base.glob("/".join(rest)))
        except (ValueError, NotImplementedError) as error:
            raise InputError(f"not a pattern of file names: {pattern!r} ({error})") from None
        visible = [str(path) for path in matches if not _is_hidden(path.relative_to(base), rest)]
        if not visible:
            raise InputError(f"no file matches {pattern!r}")
        suffix = os.path.splitext(rest[-1])[1]
        for path in visible:
            if os.path.isdir(path):
                self._add_folder(path)
            elif suffix and not _has_magic(suffix) and not _is_own(path):
                self._add_file(path)
            else:
                self._add_if_image(path)
        return os.path.abspath(base)


def _is_own(path: str) -> bool:
    return is_own_picture(path) or look_at(path).is_own


def files_below(folder: str) -> Iterator[str]:
    """Yield the visible files in a folder and below it, and any folder that cannot be listed.

    Each real folder is read once, so that links cannot lead in a circle; links to folders come last.
    """
    seen = set()
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        identity = os.path.realpath(current)
        if identity in seen:
            continue
        seen.add(identity)
        try:
            with os.scandir(current) as entries:
                visible = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError:
            yield current
            continue
        visible.sort(key=lambda entry: entry.name)
        yield from (entry.path for entry in visible if not entry.is_dir())
        folders = [entry for entry in reversed(visible) if entry.is_dir()]
        waiting[:0] = [entry.path for entry in folders if entry.is_symlink()]
        waiting += [entry.path for entry in folders if not entry.is_symlink()]


def _has_magic(text: str) -> bool:
    return any(character in text for character in "*?[")


def _split_pattern(pattern: str) -> tuple[Path, tuple[str, ...]]:
    """Split a glob into its fixed folder and the parts from the first wildcard on."""
    parts = Path(pattern).parts
    fixed = next(index for index, part in enumerate(parts) if _has_magic(part))
    return Path(*parts[:fixed]), parts[fixed:]


def _is_hidden(path: Path, pattern: Sequence[str]) -> bool:
    """Whether a match is hidden and the pattern does not name hidden files."""
    if any(part.startswith(".") for part in pattern):
        return False
    return any(part.startswith(".") for part in path.parts)


def _nothing_found(arguments: Sequence[str], search: _Search) -> str:
    where = ", ".join(map(repr, arguments[:3])) + (", ..." if len(arguments) > 3 else "")
    passed = []
    if search.others:
        passed.append(counted(search.others, "other file"))
    if search.own:
        passed.append(f"{counted(search.own, 'picture')} of earlier runs")
    passed += [f"{count} of the DICOM class {name}" for name, count in search.named_objects()]
    there = f", only {' and '.join(passed)}" if passed else ""
    return (
        f"no images found in {where}{there}; recognised extensions: {' '.join(SUFFIXES)}, "
        "and DICOM files with any"
    )
