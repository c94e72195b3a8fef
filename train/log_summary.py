"""What a training's `log.csv` comes to: the means of its first and last iterations."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

MEASURES = ("pixel", "adversarial", "discriminator", "d_expert", "d_generated")
"""Columns of `log.csv` that are averaged."""


@dataclass(frozen=True)
class LogPart:
    """Means of some iterations of one training.

    Attributes
    ----------
    first, last : int
        The iterations, the last one exclusive.
    means : mapping of str to float
        Of `MEASURES`; NaN where the training has no such figure.
    """

    first: int
    last: int
    means: dict[str, float]


def summarize_log(path: Path, share: float = 0.1) -> list[LogPart]:
    """Give the means of the first and of the last iterations of a log, each that share of all.

    Returns
    -------
    list of LogPart
        Two; one where the log is too short for two, none where there is no log.

    Raises
    ------
    ValueError
        If it has not the columns of a training's log.
    """
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [name for name in MEASURES if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(
                f"{path}: expected the columns of a training's log, missing {', '.join(missing)}"
            )
        rows = list(reader)
    span = max(round(len(rows) * share), 1)
    starts = dict.fromkeys((0, max(len(rows) - span, 0)))
    return [LogPart(start, start + span, _means(rows[start : start + span])) for start in starts if rows]


def _means(rows: list[dict[str, str]]) -> dict[str, float]:
    means = {}
    for name in MEASURES:
        values = [float(row[name]) for row in rows if row[name]]
        means[name] = sum(values) / len(values) if values else math.nan
    return means
