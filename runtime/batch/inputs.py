"""Find the images that the arguments name: files, folders and globs, without decoding any."""

# Paths are text here: there may be 100,000, and no link in them may be resolved.
# ruff: noqa: PTH100, PTH112, PTH113, PTH119, PTH120, PTH122
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from retinagan.runtime.batch.globs import has_wildcard, matches_of
from retinagan.runtime.batch.pictures import is_own_picture
from retinagan.runtime.batch.shard import Shard
from retinagan.runtime.batch.store_inputs import find_objects, frames_of_object
from retinagan.runtime.console.wording import counted
from retinagan.runtime.errors import ImageError, RetinaGanError
from retinagan.runtime.images.dicom.classes import DIRECTORY, class_name, is_photograph
from retinagan.runtime.images.dicom.directory import listed_files
from retinagan.runtime.images.formats import Look, look_at, looks_like_an_image
from retinagan.runtime.images.reading import SUFFIXES, count_frames
from retinagan.runtime.storage.address import SCHEMES, below, common_folder, is_url, local_path, scheme_of

_EXAMPLES = 3
_DIGITS = re.compile(r"(\d+)")


class InputError(RetinaGanError):
    """An argument names no image: a missing path, a folder without images, or a glob without a match."""


@dataclass(frozen=True, slots=True)
class Input:
    """An image to read.

    `path` opens it; it may be a URL. `name` is its path below the folder that all inputs share, with ``/``
    between its parts: it names the image in the report and its results in the output folder. `frame` is which
    of the file's images it is, from 1; None takes the first. `listed` has the size and the time of change of
    an object in a store, as its listing tells them (`Object`); None for a file of this machine.
    """

    path: str
    name: str
    frame: int | None = None
    listed: tuple[str, str] | None = None


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

    URLs of a store name objects, folders and globs of objects alike; DICOM objects are found there if their
    names have no extension, digits for one, or ``.dcm``.

    Parameters
    ----------
    arguments : sequence of str
        Files, folders and globs, or URLs of one store.

    Raises
    ------
    InputError
        If a path does not exist, a glob has no match, there is no image at all, or a store does not answer.
    StorageError
        If the store of a URL needs a package that is not installed.
    """
    search = _Search()
    arguments = [local_path(argument) for argument in arguments]
    roots = [search.add(argument) for argument in arguments]
    if not search.paths:
        raise InputError(_nothing_found(arguments, search))
    try:
        base = common_folder(roots)
    except ValueError:
        raise InputError(
            f"inputs in several stores: {', '.join(map(repr, roots[:3]))}; give those of one store, "
            "or of this machine, in each run"
        ) from None
    inputs = [
        Input(path, below(full, base), listed=search.listed.get(full)) for full, path in search.paths.items()
    ]
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
        count = frames_of_object if is_url(item.path) else count_frames
        frames = count(item.path) if shard is None or shard.holds(item.name) else 1
        if frames == 1:
            expanded.append(item)
        else:
            expanded += [
                replace(item, name=f"{item.name}#{frame}", frame=frame) for frame in range(1, frames + 1)
            ]
    return tuple(expanded)


def is_input(path: str) -> bool:
    """Whether a file of a folder is an image to segment, and no picture that `retina-run` wrote."""
    return looks_like_an_image(path) and not is_own_picture(path)


@dataclass
class _Search:
    """The images found so far; `paths` by absolute path, so that an image named twice counts once."""

    paths: dict[str, str] = field(default_factory=dict)
    listed: dict[str, tuple[str, str]] = field(default_factory=dict)
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
        if is_url(argument):
            return self._add_url(argument)
        if os.path.isdir(argument):
            return self._add_folder(argument)
        if os.path.isfile(argument):
            if look_at(argument).dicom_class == DIRECTORY:
                return self._add_listed(argument)
            return self._add_file(argument)
        if os.path.lexists(argument):
            raise InputError(f"not an image file or a folder: {argument!r}")
        if scheme_of(argument):
            raise InputError(f"no such kind of URL: {argument!r}; expected {', '.join(SCHEMES)}")
        if not has_wildcard(argument):
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
        if not look.is_image:
            self._pass_over(path, look)
        elif is_own_picture(path):
            self.own += 1
        else:
            self._add_file(path)

    def _pass_over(self, path: str, look: Look) -> None:
        if look.dicom_class:
            self.objects[look.dicom_class] += look.dicom_class != DIRECTORY  # the folder has what it lists
            return
        if look.is_own:
            self.own += 1
            return
        self.others += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(os.path.basename(path))

    def _add_url(self, argument: str) -> str:
        try:
            found = find_objects(argument)
        except OSError as error:
            raise InputError(
                f"cannot list {argument!r} ({error.strerror}); check the address and the credentials"
            ) from None
        if found is None:
            what = "object matches" if has_wildcard(argument) else "such object or folder:"
            raise InputError(f"no {what} {argument!r}")
        for one in found.images:
            self.paths.setdefault(one.url, one.url)
            self.listed[one.url] = one.size, one.modified
        for url, look in found.others:
            self._pass_over(url, look)
        self.own += found.own
        if not found.images:
            self.empty.append(argument)
        return found.root

    def _add_glob(self, pattern: str) -> str:
        try:
            base, matches = matches_of(pattern)
        except (ValueError, NotImplementedError) as error:
            raise InputError(f"not a pattern of file names: {pattern!r} ({error})") from None
        if not matches:
            raise InputError(f"no file matches {pattern!r}")
        suffix = os.path.splitext(Path(pattern).name)[1]
        for path in matches:
            if os.path.isdir(path):
                self._add_folder(path)
            elif suffix and not has_wildcard(suffix) and not _is_own(path):
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
