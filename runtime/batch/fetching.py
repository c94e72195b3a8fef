"""Read objects of a store before their turn: each waits for the network, and an engine must not."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from retinagan.runtime.batch.inputs import Input
from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.reading import check_bytes
from retinagan.runtime.storage.address import is_url
from retinagan.runtime.storage.store import store_of

_AHEAD = 8  # objects
_BYTES_AHEAD = 256 << 20

_Job = TypeVar("_Job")


class Fetching(Generic[_Job]):
    """Yields jobs with a future of their object's content; None for files of this machine.

    Up to eight objects are read ahead, as long as they have 256 MiB at most together. A file of this machine
    is drawn from `jobs` only when it is its turn.

    Parameters
    ----------
    jobs : iterable
        Drawn from in the caller's thread.
    input_of : callable
        Returns a job's `Input`.
    """

    def __init__(self, jobs: Iterable[_Job], input_of: Callable[[_Job], Input]) -> None:
        self._jobs = iter(jobs)
        self._input_of = input_of
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: deque[tuple[_Job, Future[bytes] | None, int]] = deque()
        self._bytes = 0

    def __iter__(self) -> Generator[tuple[_Job, Future[bytes] | None], None, None]:
        ended = False
        try:
            while self._fill():
                job, content, size = self._waiting.popleft()
                self._bytes -= size
                yield job, content
            ended = True
        finally:
            if self._pool is not None:  # what was yielded may still have to be read
                self._pool.shutdown(wait=not ended, cancel_futures=not ended)

    def _fill(self) -> bool:
        """Draw jobs while there is room; return whether one is waiting."""
        while not self._waiting or (
            self._waiting[-1][1] is not None and len(self._waiting) < _AHEAD and self._bytes < _BYTES_AHEAD
        ):
            try:
                job = next(self._jobs)
            except StopIteration:
                break
            self._draw(job)
        return bool(self._waiting)

    def _draw(self, job: _Job) -> None:
        item = self._input_of(job)
        if not is_url(item.path):
            self._waiting.append((job, None, 0))
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_AHEAD, thread_name_prefix="retina-run-fetch")
        size = int(item.listed[0] or 0) if item.listed else 0
        self._bytes += size
        self._waiting.append((job, self._pool.submit(fetch, item), size))


def fetch(item: Input) -> bytes:
    """Return an object's content.

    Raises
    ------
    ImageError
        If it cannot be read, or is larger than any image that is read.
    """
    if item.listed and item.listed[0]:
        check_bytes(int(item.listed[0]))
    try:
        return store_of(item.path).read(item.path)
    except FileNotFoundError:
        raise ImageError("no such object in the store any more; list it again") from None
    except PermissionError as error:
        raise ImageError(
            f"no permission to read the object ({error.strerror}); check the credentials"
        ) from None
    except OSError as error:
        raise ImageError(
            f"the object cannot be read ({error.strerror}); run the same command again"
        ) from None
