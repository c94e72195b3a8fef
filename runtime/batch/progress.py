"""Show progress: a bar on a terminal, plain lines elsewhere, nothing if quiet."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, TextIO

from retinagan.runtime.batch.report import FILE_NAME
from retinagan.runtime.batch.row import FAILED, Row
from retinagan.runtime.console.wording import counted, say, spoken

_FAILURES_SHOWN = 20
_FIRST_INTERVAL, _LONGEST_INTERVAL = 10.0, 300.0  # seconds between plain lines


class Progress(Protocol):
    """Shows how far a run is."""

    def advance(self, row: Row) -> None:
        """Count an image, and show it if it failed."""

    def close(self) -> None:
        """Finish the output."""


def open_progress(total: int, stream: TextIO | None, *, quiet: bool = False) -> Progress:
    """Choose how to show the progress of `total` images on a stream."""
    if quiet or not total or stream is None:
        return _Silent()
    if not stream.isatty():
        return Lines(total, stream)
    try:
        return _Bar(total, stream)
    except OSError:  # the terminal was closed
        return _Silent()


class Lines:
    """Prints a line at growing intervals, and one for each of the first failures.

    `clock` gives the time in seconds.
    """

    def __init__(self, total: int, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._stream = stream
        self._clock = clock
        self._failures = _Failures(lambda text: say(text, stream))
        self._count = 0
        self._start = clock()
        self._next = self._start + _FIRST_INTERVAL

    def advance(self, row: Row) -> None:
        """Count an image, and write a line if it is time."""
        self._count += 1
        self._failures.show(row)
        now = self._clock()
        if now >= self._next:
            elapsed = now - self._start
            self._next = now + min(_LONGEST_INTERVAL, max(_FIRST_INTERVAL, elapsed / 10))
            rate = self._count / elapsed
            left = spoken((self._total - self._count) / rate)
            failed = f", {self._failures.count} failed" if self._failures.count else ""
            say(
                f"{self._count} of {counted(self._total, 'image')}{failed}, {rate:.2f} images/s, {left} left",
                self._stream,
            )

    def close(self) -> None:
        """Do nothing: every line is complete."""


class _Bar:
    """A bar with rate and remaining time."""

    def __init__(self, total: int, stream: TextIO) -> None:
        from tqdm import tqdm

        self._stream = stream
        self._failures = _Failures(self._write_above)
        self._bar: Any = tqdm(total=total, unit=" images", file=stream, dynamic_ncols=True)

    def advance(self, row: Row) -> None:
        self._failures.show(row)
        with suppress(OSError):  # the terminal may be closed at any time; the run continues
            if self._failures.count:
                self._bar.set_postfix_str(f"{self._failures.count} failed", refresh=False)
            self._bar.update()

    def close(self) -> None:
        with suppress(OSError):
            self._bar.close()

    def _write_above(self, text: str) -> None:
        with suppress(OSError):
            self._bar.clear()
            say(text, self._stream)
            self._bar.refresh()


class _Silent:
    def advance(self, row: Row) -> None:
        pass

    def close(self) -> None:
        pass


class _Failures:
    """Counts failed images, and prints the messages of the first ones."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.count = 0
        self._write = write

    def show(self, row: Row) -> None:
        if row.status != FAILED:
            return
        self.count += 1
        if self.count <= _FAILURES_SHOWN:
            self._write(f"{row.path}: {row.message}")
        elif self.count == _FAILURES_SHOWN + 1:
            self._write(f"more images failed; see {FILE_NAME}")
