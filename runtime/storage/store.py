"""Object stores by fsspec: listed, read and written; every failure is an `OSError` with its reason."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, NamedTuple, TypeVar

from retinagan.runtime.errors import RetinaGanError
from retinagan.runtime.storage.address import PACKAGES, scheme_of

_AT_ONCE = 16
_MODIFIED = ("LastModified", "last_modified", "mtime", "updated", "modified", "created")
"""The keys under which file systems of fsspec tell when an object was changed, in order of preference."""

_KINDS: tuple[tuple[type[OSError], int], ...] = (
    (FileNotFoundError, errno.ENOENT),
    (PermissionError, errno.EACCES),
    (TimeoutError, errno.ETIMEDOUT),
)

_Given = TypeVar("_Given")
_Done = TypeVar("_Done")


class StorageError(RetinaGanError):
    """A store cannot be used: its package is missing, or it refuses to be opened."""


class Object(NamedTuple):
    """An object of a store.

    `size` is in bytes and `modified` in seconds since 1970, both as text, and empty if the store does not
    tell.
    """

    url: str
    size: str
    modified: str


class Store:
    """The objects that URLs of one scheme name. Many threads may use it.

    Every method raises `OSError` where the store does not answer as it should: `FileNotFoundError` for an
    object or bucket that is not there, `PermissionError` where access is denied.

    Parameters
    ----------
    scheme : {"s3", "gs", "az", "memory"}
        Credentials and endpoints are found as the package of the scheme does: environment, files, the
        machine's role.

    Raises
    ------
    StorageError
        If fsspec or the package of the scheme is not installed, or refuses its configuration.
    """

    def __init__(self, scheme: str) -> None:
        try:
            import fsspec
        except ImportError:
            raise StorageError(f'{scheme}:// needs fsspec: pip install "retinagan[cloud]"') from None
        self._scheme = scheme
        package = PACKAGES[scheme]
        try:
            # Listings are read anew each time: other machines write to the store, too.
            self._files: Any = fsspec.filesystem(scheme, use_listings_cache=False, skip_instance_cache=True)
        except ImportError as error:
            why = f" ({_reason(error)})" if find_spec(package) else ""  # it is there, but cannot be imported
            raise StorageError(f"{scheme}:// needs {package}: pip install {package}{why}") from None
        except Exception as error:  # each package has errors of its own
            raise StorageError(f"{scheme}:// cannot be opened by {package} ({_reason(error)})") from None

    def below(self, url: str) -> list[Object]:
        """Return the objects below a folder, in the order of their URLs; none if there is no such folder."""
        with _raised_as_os_error():
            found = self._files.find(url, detail=True)
        return self._objects(found)

    def matching(self, pattern: str) -> tuple[list[Object], list[str]]:
        """Return the objects and the folders whose URL matches a glob, in the order of their URLs."""
        with _raised_as_os_error():
            found = self._files.glob(pattern, detail=True)
        folders = (self._object(one).url for one in found.values() if one.get("type") == "directory")
        return self._objects(found), sorted(folders)

    def find(self, url: str) -> Object | None:
        """Return the object of a URL; None if there is none, or only a folder."""
        try:
            with _raised_as_os_error():
                described = self._files.info(url)
        except FileNotFoundError:
            return None
        return self._object(described) if described.get("type") == "file" else None

    def read(self, url: str, start: int | None = None, end: int | None = None) -> bytes:
        """Return an object's content, or its bytes from `start` to before `end`."""
        with _raised_as_os_error():
            content: bytes = self._files.cat_file(url, start=start, end=end)
        return content

    def write(self, url: str, content: bytes) -> None:
        """Write an object, whole or not at all."""
        with _raised_as_os_error():
            self._files.pipe_file(url, content)

    def download(self, url: str, path: str) -> None:
        """Copy an object to a file of this machine."""
        with _raised_as_os_error():
            self._files.get_file(url, path)

    def upload(self, path: str, url: str) -> None:
        """Copy a file of this machine to an object, whole or not at all."""
        with _raised_as_os_error():
            self._files.put_file(path, url)

    def remove(self, url: str) -> None:
        """Remove an object."""
        with _raised_as_os_error():
            self._files.rm_file(url)

    def _objects(self, found: dict[str, dict[str, Any]]) -> list[Object]:
        files = (self._object(described) for described in found.values() if described.get("type") == "file")
        return sorted(one for one in files if not one.url.endswith("/"))  # those stand for a folder

    def _object(self, described: dict[str, Any]) -> Object:
        size = described.get("size")
        key = described["name"].lstrip("/")
        return Object(f"{self._scheme}://{key}", "" if size is None else str(size), _modified(described))


_opening = threading.Lock()


@lru_cache(maxsize=len(PACKAGES))
def _store(scheme: str) -> Store:
    return Store(scheme)


def store_of(url: str) -> Store:
    """Return the store of a URL; the same one for all URLs of a scheme.

    Raises
    ------
    StorageError
        As of `Store`.
    """
    with _opening:
        return _store(scheme_of(url))


def at_once(function: Callable[[_Given], _Done], items: Iterable[_Given]) -> Iterator[_Done]:
    """Yield what a function returns for each item, in order; several run at once, each waits for a store."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="retina-store") as pool:
        yield from pool.map(function, items)


@contextmanager
def _raised_as_os_error() -> Iterator[None]:
    """Raise what a store's package raises, of whatever type, as an `OSError` with a number and a reason."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        kinds = (pair for pair in _KINDS if isinstance(error, pair[0]))
        kind, number = next(kinds, (OSError, errno.EIO))
        raise kind(number, _reason(error)) from error


def _reason(error: BaseException) -> str:
    """Return why something failed, in one line."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())


def _modified(described: dict[str, Any]) -> str:
    value: object = next((described[key] for key in _MODIFIED if described.get(key) is not None), "")
    if isinstance(value, str):
        with suppress(ValueError):
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
    if isinstance(value, datetime):
        value = value.timestamp()
    return f"{value:.6f}" if isinstance(value, (int, float)) else str(value)
