"""What a training run says while it goes on: progress lines, a CSV row for each iteration, early warnings."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from retinagan.train.board import Board
from retinagan.train.watch import Watch

COLUMNS = (
    "iteration",
    "stage",
    "loss",
    "pixel",
    "adversarial",
    "discriminator",
    "d_expert",
    "d_generated",
    "vessels",
    "predicted",
    "learning_rate",
)
SPOKEN = ("pixel", "adversarial", "discriminator", "d_expert", "d_generated")
"""The columns whose running means stand in a progress line."""

SMOOTHING = 0.98


class Journal:
    """Progress lines on a stream and `log.csv` in the run's folder.

    Parameters
    ----------
    folder : Path
        The run's folder.
    total : int
        Iterations of the whole run.
    done : int
        Iterations already done; later rows of an earlier, interrupted log are dropped.
    stream : text file
        Where the lines go.
    seconds : float
        Least time between two lines.
    board : Board, optional
        Given the same figures; closed with the journal.
    """

    def __init__(
        self,
        folder: Path,
        total: int,
        done: int,
        stream: TextIO,
        seconds: float = 15.0,
        board: Board | None = None,
    ) -> None:
        self._total, self._done, self._start_done = total, done, done
        self._stream, self._seconds = stream, seconds
        self._start = self._last = time.monotonic()
        self._smooth: dict[str, float] = {}
        self._watch, self._board = Watch(), board
        path = folder / "log.csv"
        kept = _rows_before(path, done)
        self._file = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, COLUMNS)
        self._writer.writeheader()
        self._writer.writerows(kept)

    def close(self) -> None:
        """Close the CSV file, and the board."""
        self._file.close()
        if self._board is not None:
            self._board.close()

    def flush(self) -> None:
        """Put the rows so far on disk."""
        self._file.flush()

    def say(self, line: str) -> None:
        """Print one line at once."""
        print(line, file=self._stream, flush=True)

    def add(self, stage: str, losses: Mapping[str, float]) -> None:
        """Take in one iteration's losses."""
        row = {name: f"{value:.6g}" for name, value in losses.items()}
        self._writer.writerow({"iteration": self._done, "stage": stage, **row})
        if self._board is not None:
            self._board.add(self._done, losses)
        self._done += 1
        for name, value in losses.items():
            self._smooth[name] = SMOOTHING * self._smooth.get(name, value) + (1.0 - SMOOTHING) * value
        for line in self._watch.look(losses):
            self.say(line)
        now = time.monotonic()
        if now - self._last >= self._seconds or self._done == self._total:
            self._last = now
            self._progress(stage, now)

    def _progress(self, stage: str, now: float) -> None:
        rate = (self._done - self._start_done) / max(now - self._start, 1e-9)
        minutes = (self._total - self._done) / rate / 60.0
        losses = "  ".join(f"{name} {self._smooth[name]:.4f}" for name in SPOKEN if name in self._smooth)
        self.say(
            f"{stage} {self._done}/{self._total}  {losses}  {rate:.2f} iterations/s, {minutes:.1f} min left"
        )


def _rows_before(path: Path, done: int) -> list[dict[str, str]]:
    if done == 0 or not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if set(row) <= set(COLUMNS)]
    return [row for row in rows if (row["iteration"] or "").isdigit() and int(row["iteration"]) < done]
