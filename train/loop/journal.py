"""The output of a training run: progress lines, CSV rows, early warnings."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from retinagan.train.loop.board import Board
from retinagan.train.loop.validation import SCORES
from retinagan.train.loop.watch import Watch

MEASURES = ("pixel", "adversarial", "discriminator", "d_expert", "d_generated")
"""The losses and the discriminator's outputs: columns of `log.csv` whose means are shown."""

COLUMNS = ("iteration", "stage", "loss", *MEASURES, "vessels", "predicted", "learning_rate")

VALIDATION_COLUMNS = ("iteration", *SCORES)

SMOOTHING = 0.98


class Journal:
    """Progress lines on a stream, and `log.csv` and `validation.csv` in the folder of the run.

    `log.csv` has a row for each iteration, numbered from 0. `validation.csv` has a row for each scoring of
    held-out images, with the number of iterations done before it; it is created with its first row.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    total : int
        Iterations of the whole run.
    done : int
        Iterations already done; rows of later iterations, from before an interruption, are dropped.
    stream : text file
        Stream that receives the lines.
    seconds : float
        Minimum time between two lines.
    board : Board, optional
        Receives the same figures; closed with the journal.
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
        self._log = _Table(folder / "log.csv", COLUMNS, done)
        self._validation = _Table(folder / "validation.csv", VALIDATION_COLUMNS, done + 1)

    def close(self) -> None:
        """Close the CSV files and the board."""
        self._log.close()
        self._validation.close()
        if self._board is not None:
            self._board.close()

    def flush(self) -> None:
        """Write the rows so far to disk."""
        self._log.flush()
        self._validation.flush()

    def say(self, line: str) -> None:
        """Print one line at once."""
        print(line, file=self._stream, flush=True)

    def add(self, stage: str, losses: Mapping[str, float]) -> None:
        """Add the losses of one iteration."""
        self._log.add({"iteration": self._done, "stage": stage}, losses)
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

    def add_validation(self, scores: Mapping[str, float]) -> None:
        """Add the scores of the held-out images after the last iteration."""
        self._validation.add({"iteration": self._done}, scores)
        if self._board is not None:
            self._board.add(self._done, scores, "validation")
        self.say(
            f"validation {self._done}/{self._total}  inside the FOV: AUC {scores['auc']:.4f}, Dice "
            f"{scores['dice']:.4f} at {scores['threshold']:.3f}; pixel {scores['pixel']:.4f}"
        )

    def _progress(self, stage: str, now: float) -> None:
        rate = (self._done - self._start_done) / max(now - self._start, 1e-9)
        minutes = (self._total - self._done) / rate / 60.0
        losses = "  ".join(f"{name} {self._smooth[name]:.4f}" for name in MEASURES if name in self._smooth)
        self.say(
            f"{stage} {self._done}/{self._total}  {losses}  {rate:.2f} iterations/s, {minutes:.1f} min left"
        )


class _Table:
    """A CSV file that a resumed run continues: rows of iterations before `done` are kept."""

    def __init__(self, path: Path, columns: tuple[str, ...], done: int) -> None:
        self._path, self._columns = path, columns
        self._file: TextIO | None = None
        kept = _rows_before(path, columns, done)
        path.unlink(missing_ok=True)
        for row in kept:
            self._write(row)

    def add(self, row: Mapping[str, object], figures: Mapping[str, float]) -> None:
        """Add a row; the first creates the file."""
        self._write({**row, **{name: f"{value:.6g}" for name, value in figures.items()}})

    def _write(self, row: Mapping[str, object]) -> None:
        first = self._file is None
        if self._file is None:
            self._file = self._path.open("w", newline="", encoding="utf-8")
        writer = csv.DictWriter(self._file, self._columns)
        if first:
            writer.writeheader()
        writer.writerow(row)

    def flush(self) -> None:
        """Write the rows so far to disk."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _rows_before(path: Path, columns: tuple[str, ...], done: int) -> list[dict[str, str]]:
    """Return the rows of earlier iterations; none if the run starts anew."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if set(row) <= set(columns)]
    return [row for row in rows if (row["iteration"] or "").isdigit() and int(row["iteration"]) < done]
