"""What a training's `log.csv` comes to: the means of each stage's first and last iterations."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from retinagan.train.data.description import DataError

MEASURES = ("pixel", "adversarial", "discriminator", "d_expert", "d_generated")
"""Columns of `log.csv` that are averaged."""


@dataclass(frozen=True)
class LogPart:
    """Means of some iterations of one training.

    Attributes
    ----------
    stage : str
        "patches", "adversarial" or "images".
    first, last : int
        The iterations, the last one exclusive.
    means : mapping of str to float
        Of `MEASURES`; NaN where the training has no such figure.
    """

    stage: str
    first: int
    last: int
    means: dict[str, float]


def summarize_log(path: Path, share: float = 0.1) -> list[LogPart]:
    """Give the means of the first and of the last iterations of each stage, each that share of the stage.

    Returns
    -------
    list of LogPart
        Two of each stage; one where it is too short for two; none at all where there is no log.

    Raises
    ------
    DataError
        If it is not a training's log.
    """
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            names = reader.fieldnames or ()
            rows = [row for row in reader if None not in row.values()]  # the last line may be half-written
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: expected a training's log.csv, but {error}") from error
    missing = [name for name in ("iteration", "stage", *MEASURES) if name not in names]
    if missing:
        raise DataError(f"{path}: expected the columns of a training's log, missing {', '.join(missing)}")
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
