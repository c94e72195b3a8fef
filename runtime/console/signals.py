"""Signals that stop a command and their exit codes, the same for all commands.

Ctrl-C, SIGTERM and SIGHUP are handled alike, in one of three ways: `signals_raised` interrupts whatever is
running, `signals_noted` lets a loop finish its iteration, and `signals_held_back` waits until a block ends. A
signal that is ignored, such as SIGHUP under nohup, stays ignored. Python handles signals in the main thread
only; in other threads these functions change nothing.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that stop a command."""

_Handler = Callable[[int, FrameType | None], object]


def exit_code(number: int) -> int:
    """Return the exit code of a command stopped by a signal, as shells report it: 130, 143 or 129."""
    return 128 + number


class Stopped(KeyboardInterrupt):
    """Raised when a signal arrives; `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class StopSignal:
    """The signal that stopped a command; `number` is None until one arrives."""

    def __init__(self) -> None:
        self.number: int | None = None


@contextmanager
def signals_raised(stop: StopSignal) -> Iterator[None]:
    """Raise `Stopped` in the main thread when a signal arrives, and record it in `stop`.

    A second signal of the same kind ends the process at once.
    """

    def handle(number: int, frame: FrameType | None) -> NoReturn:
        signal.signal(number, signal.SIG_DFL)
        stop.number = number
        raise Stopped(number)

    with _handled_by(handle):
        yield


@contextmanager
def signals_noted(react: Callable[[], object] | None = None) -> Iterator[StopSignal]:
    """Record the first signal for the block to check; raise `Stopped` at the second, whichever it is.

    Parameters
    ----------
    react : callable, optional
        Called at the first signal, in the middle of whatever runs.
    """
    stop = StopSignal()

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.number is not None:
            raise Stopped(number)
        stop.number = number
        if react is not None:
            react()

    with _handled_by(handle):
        yield stop


@contextmanager
def signals_held_back() -> Iterator[Callable[[], bool]]:
    """Defer signals until the block ends, for example while foreign code calls ours.

    Yields a function that tells whether one has arrived. A second one of the same kind ends the process at
    once.
    """
    arrived: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        arrived.append(number)

    with _handled_by(handle) as before:
        yield lambda: bool(arrived)
    for number in arrived:
        before[number](number, None)


@contextmanager
def _handled_by(handler: _Handler) -> Iterator[dict[int, _Handler]]:
    """Handle signals that are not ignored with `handler`; yield the handlers that it replaces."""
    before: dict[int, _Handler] = {}
    if threading.current_thread() is not threading.main_thread():
        yield before
        return
    found = {number: signal.getsignal(number) for number in STOPPING}
    replaced = {number: known for number, known in found.items() if known not in (signal.SIG_IGN, None)}
    try:
        for number, known in replaced.items():
            before[number] = known if callable(known) else _default
            signal.signal(number, handler)
        yield before
    finally:
        for number, known in replaced.items():
            signal.signal(number, known)


def _default(number: int, frame: FrameType | None) -> None:
    """Restore a signal's default action, which ends the process."""
    signal.raise_signal(number)
