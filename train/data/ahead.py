"""Variants made ahead of need, by worker processes beside the training."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import ModuleType

import cv2

from retinagan.runtime.errors import RetinaGanError
from retinagan.train.data.variants import Variant, VariantMaker

_AHEAD = 2  # variants waiting for each worker


class WorkerError(RetinaGanError, RuntimeError):
    """A worker process ended unexpectedly."""


class VariantSource:
    """Returns variants by their numbers, made here or by worker processes.

    Parameters
    ----------
    maker : VariantMaker
        Maker of the variants.
    workers : int
        Processes that make variants ahead of need; 0 makes them in this process when they are requested. The
        variants are the same.
    """

    def __init__(self, maker: VariantMaker, workers: int = 0) -> None:
        self._maker, self._workers = maker, workers
        self._held: dict[tuple[int, int], Variant | Future[Variant]] = {}
        self._executor: ProcessPoolExecutor | None = None

    def window(self, stream: int, start: int, count: int) -> list[Variant]:
        """Return variants `start` to `start + count - 1` of a stream; those before them are forgotten.

        Raises
        ------
        WorkerError
            If a worker process was killed.
        """
        ahead = self._workers * _AHEAD
        keys = [(stream, number) for number in range(start, start + count + ahead)]
        self._held = {key: self._held[key] if key in self._held else self._begun(key) for key in keys}
        return [self._finished(key) for key in keys[:count]]

    def _begun(self, key: tuple[int, int]) -> Variant | Future[Variant]:
        if not self._workers:
            return self._maker(*key)
        if self._executor is None:
            # Do not fork a process whose threads compute: a lock that one of them holds would stay locked.
            method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
            context = multiprocessing.get_context(method)
            self._executor = ProcessPoolExecutor(self._workers, context, _start, (self._maker,))
        try:
            with _main_module_hidden():
                return self._executor.submit(_make, *key)
        except BrokenProcessPool:
            raise _broken() from None

    def _finished(self, key: tuple[int, int]) -> Variant:
        held = self._held[key]
        if isinstance(held, Future):
            try:
                held = held.result()
            except BrokenProcessPool:
                raise _broken() from None
            self._held[key] = held
        return held

    def close(self) -> None:
        """End the worker processes."""
        self._held = {}
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None


def _broken() -> WorkerError:
    return WorkerError(
        "a process that jitters images was killed, probably for lack of memory: the same command resumes "
        "from the last checkpoint; give it a lower --jitter-workers, 0 for none"
    )


@contextmanager
def _main_module_hidden() -> Iterator[None]:
    """Keep new processes from importing the program's main module.

    They do not need it, and a script without `if __name__ == "__main__"` would run again.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


_maker: VariantMaker


def _start(maker: VariantMaker) -> None:
    """Prepare a worker process."""
    global _maker
    _maker = maker
    cv2.setNumThreads(1)
    for number in (signal.SIGINT, signal.SIGHUP):  # they reach all processes; the training ends its own
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _make(stream: int, number: int) -> Variant:
    return _maker(stream, number)
