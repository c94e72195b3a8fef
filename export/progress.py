"""What a user sees while a command works: each step with its time, and a table at the end."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO, TypeVar

T = TypeVar("T")


class StepLog:
    """Prints a line for each step of a command: its name, its result and its time in seconds.

    Parameters
    ----------
    stream : text stream, optional
        Where to print; standard output by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stdout if stream is None else stream
        self._updated = ""

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Run the block as step `name`; what the block appends to the list is printed after the name."""
        results: list[str] = []
        start = time.perf_counter()
        self._print(f"{name} ... ", end="")
        try:
            yield results
        except BaseException:
            self.update("")
            self._print("failed")
            raise
        self.update("")
        self._print("; ".join([*results, f"{time.perf_counter() - start:.1f} s"]))

    def update(self, text: str) -> None:
        """Show on a terminal how far the step is, replacing what was shown before."""
        if self._stream.isatty():
            erased = "\b" * len(self._updated)
            self._print(f"{erased}{' ' * len(self._updated)}{erased}{text}", end="")
            self._updated = text

    def counted(self, items: Iterable[T], what: str) -> Iterator[T]:
        """Yield the items, showing their count."""
        for number, item in enumerate(items, 1):
            self.update(f"{what} {number}")
            yield item

    def line(self, text: str) -> None:
        """Print a separate line."""
        self._print(text)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print rows of cells under a header, in aligned columns."""
        lines = [header, *rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
        self._print("")
        for line in lines:
            self._print(
                "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            )

    def _print(self, text: str, end: str = "\n") -> None:
        print(text, end=end, file=self._stream, flush=True)
