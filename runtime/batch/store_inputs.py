"""Find the images that a URL names in a store: an object, a folder or a glob."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from retinagan.runtime.batch.globs import first_pattern, has_wildcard
from retinagan.runtime.batch.pictures import may_be_own
from retinagan.runtime.batch.store_folder import is_own_object
from retinagan.runtime.images.formats import LOOK_BYTES, Look, look_into, may_be_an_image
from retinagan.runtime.images.reading import frames_in
from retinagan.runtime.storage.address import scheme_of
from retinagan.runtime.storage.store import Object, at_once, store_of

_BUCKET = 2  # its place among the parts of a URL


@dataclass(frozen=True)
class Objects:
    """What a URL names.

    `root` is the URL of the folder at which the images' names start, `others` what is no image, `own` the
    number of pictures that `retina-run` wrote.
    """

    root: str
    images: tuple[Object, ...]
    others: tuple[tuple[str, Look], ...] = ()
    own: int = 0


def find_objects(url: str) -> Objects | None:
    """Return what a URL names; None if there is nothing.

    Hidden objects and folders are left out of folders and globs, as in folders of this machine.

    Raises
    ------
    OSError
        If the store does not answer.
    StorageError
        If the store needs a package that is not installed.
    """
    store = store_of(url)
    bare = _normal(url)
    named = None if url.endswith("/") else store.find(bare)
    if named is not None:
        return Objects(bare.rpartition("/")[0], (named,)) if _is_safe(named.url) else None
    below = store.below(bare)
    if below:
        return _sorted_out(bare, _visible(below, bare))
    return _matching(bare) if has_wildcard(bare) else None


def frames_of_object(url: str) -> int:
    """Return how many full-size images an object holds; 1 if it cannot be read."""
    try:
        return frames_in(store_of(url).read(url))
    except OSError:
        return 1


def _matching(pattern: str) -> Objects | None:
    parts = pattern.split("/")
    fixed = first_pattern(parts)
    root = "/".join(parts[:fixed])
    if fixed <= _BUCKET:
        return None
    store = store_of(pattern)
    objects, folders = store.matching(pattern)
    suffix = parts[-1].rpartition(".")[2] if "." in parts[-1] else ""
    if not any(part.startswith(".") for part in parts[fixed:]):
        objects = _visible(objects, root)
        folders = [folder for folder in folders if not _is_hidden(folder[len(root) :])]
    inside = {one for folder in folders for one in _visible(store.below(folder), folder)}
    if suffix and not has_wildcard(suffix):
        found = _sorted_out(root, sorted(inside - set(objects)), named=objects)
    else:
        found = _sorted_out(root, sorted(inside.union(objects)))
    return found if objects or inside else None


def _sorted_out(root: str, objects: Sequence[Object], named: Sequence[Object] = ()) -> Objects:
    """Tell images from other objects, by name or content; `named` are images, whatever their names."""
    every = [*objects, *named]
    unclear = [one for one in every if may_be_an_image(one.url)]
    heads = dict(zip((one.url for one in unclear), _heads(unclear), strict=True))
    looks = {one.url: look_into(one.url, heads.get(one.url, b"")) for one in every}
    looks.update({one.url: Look(True) for one in named if not looks[one.url].is_own})
    looks = {url: look if _is_safe(url) else Look(False) for url, look in looks.items()}
    likely = [one for one in every if may_be_own(one.url)]
    marked = at_once(lambda one: is_own_object(one.url, int(one.size or 0)), likely)
    own = {one.url for one, is_own in zip(likely, marked, strict=True) if is_own}
    return Objects(
        root,
        tuple(one for one in every if looks[one.url].is_image and one.url not in own),
        tuple((url, look) for url, look in looks.items() if not look.is_image and url not in own),
        len(own),
    )


def _visible(objects: Iterable[Object], root: str) -> list[Object]:
    return [one for one in objects if not _is_hidden(one.url[len(root) :])]


def _heads(objects: Iterable[Object]) -> Iterable[bytes]:
    def head(one: Object) -> bytes:
        length = min(int(one.size or 0), LOOK_BYTES)
        try:
            return store_of(one.url).read(one.url, 0, length) if length else b""
        except OSError:
            return b""

    return at_once(head, objects)


def _is_safe(url: str) -> bool:
    """Whether an object's name is one that a file can have, and leads to no other folder."""
    parts = url.partition("://")[2].split("/")
    return all(part not in ("", ".", "..") and "\0" not in part for part in parts)


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") and part not in (".", "..") for part in name.split("/"))


def _normal(url: str) -> str:
    """Return a URL as the store writes it, with the scheme in lower case."""
    scheme = scheme_of(url)
    return f"{scheme}://{url.partition('://')[2].strip('/')}"
