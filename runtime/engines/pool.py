"""A few things of one kind, each of which serves one thread at a time."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from retinagan.runtime.errors import EngineError

T = TypeVar("T")


class Pool(Generic[T]):
    """Lends things to threads, and makes one more, up to a limit, while all are lent.

    Parameters
    ----------
    make : callable
        Makes one thing; may raise `EngineError`.
    limit : int
        How many there may be, from 1. Where one more cannot be made, the pool stays at those it has.
    """

    def __init__(self, make: Callable[[], T], limit: int) -> None:
        self._make = make
        self._limit = limit
        self._made = 0
        self._free: list[T] = []
        self._changed = threading.Condition()

    @contextmanager
    def lend(self) -> Iterator[T]:
        """Lend one thing, as soon as there is one."""
        thing = self._take()
        try:
            yield thing
        finally:
            with self._changed:
                self._free.append(thing)
                self._changed.notify()

    def drain(self) -> list[T]:
        """Give away all that is not lent, for the caller to free."""
        with self._changed:
            things, self._free = self._free, []
            self._made -= len(things)
            return things

    def _take(self) -> T:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._free or self._made < self._limit)
                if self._free:
                    return self._free.pop()
                self._made += 1
            try:
                return self._make()
            except BaseException as error:
                with self._changed:
                    self._made -= 1
                    self._changed.notify()
                    if not (self._made and isinstance(error, EngineError)):
                        raise
                    self._limit = self._made
