"""Summarise a training's `log.csv`: means over the first and last iterations of each stage."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from retinagan.train.data.description import DataError
from retinagan.train.loop.journal import MEASURES


@dataclass(frozen=True)
class LogPart:
    """Means over consecutive iterations of one training.

    Attributes
    ----------
    stage : str
        "patches", "adversarial" or "images".
    first, last : int
        First iteration, and one past the last.
    means : mapping of str to float
        Means of `MEASURES`; NaN where the training does not record one.
    """

    stage: str
    first: int
    last: int
    means: dict[str, float]


def summarize_log(path: Path, share: float = 0.1) -> list[LogPart]:
    """Return the means over the first and the last iterations of each stage.

    Parameters
    ----------
    path : Path
        The log.
    share : float
        Share of a stage's iterations in each mean.

    Returns
    -------
    list of LogPart
        Two for each stage, or one if the stage is too short for two; empty if the file does not exist.

    Raises
    ------
    DataError
        If the file is not a training log.
    """
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            names = reader.fieldnames or ()
            rows = [row for row in reader if None not in row.values()]  # the last line may be half-written
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: expected the log.csv of a training, but {error}") from error
    missing = [name for name in ("iteration", "stage", *MEASURES) if name not in names]
    if missing:
        raise DataError(f"{path}: not the log of a training; missing columns: {', '.join(missing)}")
    parts = []
    for stage, group in groupby(rows, key=lambda row: row["stage"]):
        of_stage = list(group)
        span = max(round(len(of_stage) * share), 1)
        for start in dict.fromkeys((0, max(len(of_stage) - span, 0))):
            part = of_stage[start : start + span]
            try:
                first, last = int(part[0]["iteration"]), int(part[-1]["iteration"]) + 1
                parts.append(LogPart(stage, first, last, _means(part)))
            except ValueError as error:
                raise DataError(f"{path}: expected numbers, but {error}") from error
    return parts


def _means(rows: list[dict[str, str]]) -> dict[str, float]:
    means = {}
    for name in MEASURES:
        values = [float(row[name]) for row in rows if row[name]]
        means[name] = sum(values) / len(values) if values else math.nan
    return means
