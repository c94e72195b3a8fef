"""Write scores as text for a terminal, as CSV and as JSON."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from retinagan.runtime.atomic import written_atomically
from retinagan.train.scores.bootstrap import LEVEL
from retinagan.train.scores.comparison import Difference, signed
from retinagan.train.scores.evaluation import POOLED, Row
from retinagan.train.scores.metrics import Scores

NAMES = tuple(field.name for field in fields(Scores))
TITLES = ("Acc", "Sen", "Spe", "Dice", "AUC", "Sen at Spe 0.98", "clDice")
"""Titles of the fields of `Scores`."""


Cells = tuple[str, str, tuple[str, ...]]


def table(rows: list[Row], each_image: bool = False) -> str:
    """Return the pooled rows with their intervals, or all rows, as a text table."""
    lines: list[Cells] = [("", "", TITLES)]
    for row in rows:
        if row.image == POOLED or each_image:
            figures = tuple(_figure(value, 4) for value in dataclasses.astuple(row.scores))
            lines.append((f"{row.map}, {row.region}", row.image, figures))
        if row.interval is not None:
            lines.append(("", f"{LEVEL:.0%} of resamples", _spans(row.interval)))
    return _laid_out(lines)


def difference_table(differences: list[Difference]) -> str:
    """Return one model's scores minus another's as a text table."""
    lines: list[Cells] = [("", "", TITLES)]
    for one in differences:
        figures = tuple(signed(value) for value in dataclasses.astuple(one.scores))
        lines.append((one.region, POOLED, figures))
        if one.interval is not None:
            low, high = (map(signed, dataclasses.astuple(end)) for end in one.interval)
            spans = tuple(f"{least} to {most}" for least, most in zip(low, high, strict=True))
            lines.append(("", f"{LEVEL:.0%} of resamples", spans))
    return _laid_out(lines)


def _laid_out(lines: list[Cells]) -> str:
    first, second = (max(len(line[column]) for line in lines) for column in (0, 1))
    widths = [max(len(line[2][k]) for line in lines) for k in range(len(TITLES))]
    return "\n".join(
        f"{label:{first}}  {image:{second}}  "
        + "  ".join(f"{value:>{width}}" for value, width in zip(values, widths, strict=True))
        for label, image, values in lines
    )


def _spans(interval: tuple[Scores, Scores]) -> tuple[str, ...]:
    ends = zip(*(dataclasses.astuple(end) for end in interval), strict=True)
    return tuple("-" if low != low else f"{low:.3f}-{high:.3f}" for low, high in ends)


def _figure(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if value == value else "-"


def summary_table(entries: Sequence[tuple[str, str, Row]]) -> str:
    """Return one row for each dataset, with its interval, as a text table.

    Parameters
    ----------
    entries : sequence of (str, str, Row)
        The dataset, the angle it was scaled by, and its pooled scores.
    """
    lines: list[Cells] = [("", "", TITLES)]
    for data, angle, row in entries:
        lines.append((data, angle, tuple(_figure(value, 4) for value in dataclasses.astuple(row.scores))))
        if row.interval is not None:
            lines.append(("", f"{LEVEL:.0%} of resamples", _spans(row.interval)))
    return _laid_out(lines)


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """Write the rows of one dataset atomically; missing values are empty."""
    _write_table([[]], [rows], (), path)


def write_datasets_csv(entries: Sequence[tuple[str, str, Sequence[Row]]], path: Path) -> None:
    """Write the rows of several datasets atomically, with their dataset and the angle they were scaled by."""
    labels = [[data, angle] for data, angle, _ in entries]
    _write_table(labels, [rows for _, _, rows in entries], ("data", "angle"), path)


def _write_table(
    labels: Sequence[Sequence[str]], tables: Sequence[Sequence[Row]], titles: Sequence[str], path: Path
) -> None:
    with written_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        ends = [f"{name}_{end}" for name in NAMES for end in ("low", "high")]
        writer.writerow([*titles, "map", "region", "image", *NAMES, *ends])
        for label, rows in zip(labels, tables, strict=True):
            for row in rows:
                spread: list[float] = []
                if row.interval is not None:
                    low, high = (dataclasses.astuple(end) for end in row.interval)
                    spread = [value for pair in zip(low, high, strict=True) for value in pair]
                values = [*dataclasses.astuple(row.scores), *spread]
                cells = [f"{value:.6f}" if value == value else "" for value in values]
                cells += [""] * (len(ends) - len(spread))
                writer.writerow([*label, row.map, row.region, row.image, *cells])


def write_facts(facts: Mapping[str, Any], path: Path) -> None:
    """Write facts about an evaluation as JSON, atomically."""
    text = json.dumps(facts, indent=2, allow_nan=False) + "\n"
    with written_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def row_entries(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows as plain types for JSON; missing values are None."""
    return [_entry(row) for row in rows]


def _entry(row: Row) -> dict[str, Any]:
    entry: dict[str, Any] = {"map": row.map, "region": row.region, "image": row.image}
    entry |= _without_nan(row.scores)
    return entry | _ends(row.interval)


def as_entry(difference: Difference) -> dict[str, Any]:
    """Return a difference as plain types for JSON."""
    entry: dict[str, Any] = {"region": difference.region, **_without_nan(difference.scores)}
    return entry | _ends(difference.interval)


def _ends(interval: tuple[Scores, Scores] | None) -> dict[str, Any]:
    if interval is None:
        return {}
    low, high = (_without_nan(end) for end in interval)
    return {"interval": {name: [low[name], high[name]] for name in low}}


def _without_nan(scores: Scores) -> dict[str, float | None]:
    return {name: value if value == value else None for name, value in dataclasses.asdict(scores).items()}
