"""A pool of objects, each of which serves one thread at a time."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from retinagan.runtime.errors import EngineError

T = TypeVar("T")


class Pool(Generic[T]):
    """Lends objects to threads, and makes one more, up to a limit, when all are lent.

    Parameters
    ----------
    make : callable
        Makes one object; may raise `EngineError`.
    limit : int
        The most objects, from 1. If another cannot be made, the pool keeps those that it has.
    """

    def __init__(self, make: Callable[[], T], limit: int) -> None:
        self._make = make
        self._limit = limit
        self._made = 0
        self._free: list[T] = []
        self._changed = threading.Condition()

    @contextmanager
    def lend(self) -> Iterator[T]:
        """Lend one object, as soon as one is free."""
        thing = self._take()
        try:
            yield thing
        finally:
            with self._changed:
                self._free.append(thing)
                self._changed.notify()

    def drain(self) -> list[T]:
        """Remove and return all objects that are not lent, for the caller to free."""
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
