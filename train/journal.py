"""What a training run says while it goes on: progress lines, a CSV row for each iteration, early warnings."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

COLUMNS = ("iteration", "stage", "loss", "pixel", "adversarial", "discriminator", "d_expert", "d_generated")
SMOOTHING = 0.98
PATIENCE = 200


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
    """

    def __init__(self, folder: Path, total: int, done: int, stream: TextIO, seconds: float = 15.0) -> None:
        self._total, self._done, self._start_done = total, done, done
        self._stream, self._seconds = stream, seconds
        self._start = self._last = time.monotonic()
        self._smooth: dict[str, float] = {}
        self._answers: list[tuple[float, float]] = []
        self._warned: set[str] = set()
        path = folder / "log.csv"
        kept = _rows_before(path, done)
        self._file = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, COLUMNS)
        self._writer.writeheader()
        self._writer.writerows(kept)

    def close(self) -> None:
        """Close the CSV file."""
        self._file.close()

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
        self._done += 1
        for name, value in losses.items():
            self._smooth[name] = SMOOTHING * self._smooth.get(name, value) + (1.0 - SMOOTHING) * value
        if "d_expert" in losses:
            self._watch(losses["d_expert"], losses["d_generated"])
        now = time.monotonic()
        if now - self._last >= self._seconds or self._done == self._total:
            self._last = now
            self._progress(stage, now)

    def _progress(self, stage: str, now: float) -> None:
        rate = (self._done - self._start_done) / max(now - self._start, 1e-9)
        minutes = (self._total - self._done) / rate / 60.0
        losses = "  ".join(f"{name} {value:.4f}" for name, value in self._smooth.items() if name != "loss")
        self.say(
            f"{stage} {self._done}/{self._total}  {losses}  {rate:.2f} iterations/s, {minutes:.1f} min left"
        )

    def _watch(self, expert: float, generated: float) -> None:
        """Say once if the discriminator wins outright or learns nothing over `PATIENCE` iterations."""
        self._answers = [*self._answers[-PATIENCE + 1 :], (expert, generated)]
        if len(self._answers) < PATIENCE:
            return
        mean_expert = sum(answer[0] for answer in self._answers) / PATIENCE
        mean_generated = sum(answer[1] for answer in self._answers) / PATIENCE
        answers = f"D(x) {mean_expert:.3f}, D(G(z)) {mean_generated:.3f} over {PATIENCE} iterations"
        if mean_expert > 0.98 and mean_generated < 0.02:
            self._warn(
                "wins", f"warning: the discriminator wins outright ({answers}): lower its learning rate"
            )
        elif abs(mean_expert - mean_generated) < 0.02:
            self._warn(
                "blind", f"warning: the discriminator learns nothing ({answers}): raise its learning rate"
            )

    def _warn(self, kind: str, line: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            self.say(line)


def _rows_before(path: Path, done: int) -> list[dict[str, str]]:
    if done == 0 or not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if set(row) == set(COLUMNS)]
    return [row for row in rows if (row["iteration"] or "").isdigit() and int(row["iteration"]) < done]
