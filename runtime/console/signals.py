"""Signals that stop a command, and the exit codes that they lead to: the same for all commands.

Ctrl-C, SIGTERM and SIGHUP stop alike, by one of three ways: `signals_raised` interrupts whatever runs,
`signals_noted` lets a loop end by itself, `signals_held_back` waits for the end of a few lines. A signal that
is ignored, as SIGHUP under nohup, stays ignored. Signals reach Python in the main thread alone; in another
thread nothing is changed.
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
    """Give the exit code of a command that a signal stopped, as shells give it: 130, 143, 129."""
    return 128 + number


class Stopped(KeyboardInterrupt):
    """Raised by a signal, whose number it holds."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class StopSignal:
    """Which signal stopped a command; `number` is None as long as none did."""

    def __init__(self) -> None:
        self.number: int | None = None


@contextmanager
def signals_raised(stop: StopSignal) -> Iterator[None]:
    """Raise `Stopped` where a signal finds the main thread, and note it in `stop`.

    A second signal of the same kind ends the process at once.
    """

    def handle(number: int, frame: FrameType | None) -> NoReturn:
        signal.signal(number, signal.SIG_DFL)
        stop.number = number
        raise Stopped(number)

    with _handled_by(handle):
        yield


@contextmanager
def signals_noted() -> Iterator[StopSignal]:
    """Note the first signal for the block to look at; raise `Stopped` at a second one of any kind."""
    stop = StopSignal()

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.number is not None:
            raise Stopped(number)
        stop.number = number

    with _handled_by(handle):
        yield stop


@contextmanager
def signals_held_back() -> Iterator[Callable[[], bool]]:
    """Hold signals back, such as while foreign code calls ours, and handle them when the block ends.

    Gives a function that says whether one has come. A second one of the same kind ends the process at once.
    """
    come: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        come.append(number)

    with _handled_by(handle) as before:
        yield lambda: bool(come)
    for number in come:
        before[number](number, None)


@contextmanager
def _handled_by(handler: _Handler) -> Iterator[dict[int, _Handler]]:
    """Handle the signals that are not ignored by `handler`; give the Python handlers that it replaces."""
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
    """Do what a signal does by default: end the process."""
    signal.raise_signal(number)
