"""Name the results of each image, so that no two images write to the same file."""

# Paths are text, as in inputs.py.
# ruff: noqa: PTH118
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from retinagan.runtime.batch.inputs import Input
from retinagan.runtime.batch.pictures import KINDS, compared, picture_names, stem_and_frame
from retinagan.runtime.storage.address import absolute

_LONGEST_PART = 200  # bytes; a file name may have 255, and "_probability.png" follows


def assign_stems(
    inputs: Sequence[Input], folder: str | os.PathLike[str], owned: Mapping[str, str]
) -> list[str]:
    """Assign each image the stem of its results' names: ``sub/a.png`` writes ``sub/a_vessels.png``.

    Where two images would write one name (``a.png`` and ``a.tif``, or names that differ in case alone,
    which some file systems hold for one), each keeps its extension (``a.png_vessels.png``); where that is
    not enough, a hash of the image's name is added. An image that has a stem from an earlier run keeps it,
    and none gets a stem under which its pictures would replace an input.

    Parameters
    ----------
    inputs : sequence of Input
        The images; their names differ.
    folder : str or path
        The output folder.
    owned : mapping of str to str
        Stems that images have from earlier runs, by the image's name; also of images not in `inputs`.

    Returns
    -------
    list of str
        A stem for each image, in the order of `inputs`.
    """
    kept = _still_valid(inputs, owned)
    taken = {compared(stem) for stem in owned.values()}
    read = {absolute(item.path) for item in inputs}
    free = [item.name for item in inputs if item.name not in kept]
    for choice in _CHOICES:
        counts = Counter(compared(choice(name)) for name in free)
        for name in free:
            stem = choice(name)
            last_resort = choice is _CHOICES[-1]
            if last_resort or (
                counts[compared(stem)] == 1
                and compared(stem) not in taken
                and not _replaces_any(stem, folder, read)
            ):
                kept[name] = stem
        free = [name for name in free if name not in kept]
        taken.update(compared(stem) for stem in kept.values())
    return [kept[item.name] for item in inputs]


def _still_valid(inputs: Sequence[Input], owned: Mapping[str, str]) -> dict[str, str]:
    """Return the stems of earlier runs that this module could have made; a report may have been edited."""
    counts = Counter(compared(stem) for stem in owned.values())
    kept = {}
    for item in inputs:
        stem = owned.get(item.name)
        if stem in [choice(item.name) for choice in _CHOICES] and counts[compared(stem)] == 1:
            kept[item.name] = stem
    return kept


def _without_suffix(name: str) -> str:
    stem, frame = stem_and_frame(name)
    return _shortened(f"{stem}_frame{frame}" if frame else stem, name)


def _with_suffix(name: str) -> str:
    return _shortened(name, name)


def _with_hash(name: str) -> str:
    return _shortened(f"{name}-{_hash(name)}", name)


_CHOICES: tuple[Callable[[str], str], ...] = (_without_suffix, _with_suffix, _with_hash)


def _shortened(stem: str, name: str) -> str:
    """Shorten the last part of a stem that is too long for a file name, and add the hash of the name."""
    parent, _, last = stem.rpartition("/")
    encoded = os.fsencode(last)
    if len(encoded) > _LONGEST_PART:
        last = encoded[: _LONGEST_PART - 20].decode(errors="ignore") + "-" + _hash(name)
    return f"{parent}/{last}" if parent else last


def _hash(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:12]


def _replaces_any(stem: str, folder: str | os.PathLike[str], paths: Iterable[str]) -> bool:
    base = os.path.join(absolute(folder), stem)
    return any(name in paths for kind in KINDS for name in picture_names(base, kind))
