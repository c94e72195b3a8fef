"""Evaluation of vessel maps: for each image and pooled, inside the FOV and over the whole image."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from retinagan.runtime.atomic import written_atomically
from retinagan.train.datasets import LabelledImage
from retinagan.train.metrics import Histogram, Scores
from retinagan.train.prediction import Predict

REGIONS = ("inside the FOV", "whole image")
"""What is scored, always both: rates over the whole image count the black surround as right."""

POOLED = "all pixels"


@dataclass(frozen=True)
class ImageHistograms:
    """One image's histograms, for each of `REGIONS`; of the second observer too where there is one."""

    name: str
    model: tuple[Histogram, Histogram]
    second: tuple[Histogram, Histogram] | None


@dataclass(frozen=True)
class Row:
    """Scores of one map, or of all pixels pooled, in one region."""

    map: str
    region: str
    image: str
    scores: Scores


def measure(predict: Predict, images: Iterable[LabelledImage]) -> Iterator[ImageHistograms]:
    """Predict and count each image at its native size, one at a time."""
    for image in images:
        probability = predict(image)
        second = None
        if image.second is not None:
            second = _histograms(image.second.astype(np.float32), image)
        yield ImageHistograms(image.name, _histograms(probability, image), second)


def _histograms(probability: Any, image: LabelledImage) -> tuple[Histogram, Histogram]:
    return (
        Histogram.of(probability, image.truth, image.fov),
        Histogram.of(probability, image.truth),
    )


def best_threshold(measured: Iterable[ImageHistograms]) -> float:
    """Find the threshold with the largest Dice, pooled inside the FOV; for training images alone."""
    return Histogram.pooled(image.model[0] for image in measured).best_threshold()


def score(measured: list[ImageHistograms], threshold: float) -> list[Row]:
    """Score all images, and their pixels pooled, in both regions; the second observer's rows come last.

    Parameters
    ----------
    measured : list of ImageHistograms
        What `measure` gave.
    threshold : float
        Probability from which on a pixel is a vessel.
    """
    rows = _rows("model", [(image.name, image.model) for image in measured], threshold)
    seconds = [(image.name, image.second) for image in measured if image.second is not None]
    if seconds:
        rows += _rows("second observer", seconds, 0.5)
    return rows


def _rows(label: str, images: list[tuple[str, tuple[Histogram, Histogram]]], threshold: float) -> list[Row]:
    rows = []
    for index, region in enumerate(REGIONS):
        pooled = Histogram.pooled(histograms[index] for _, histograms in images)
        rows.append(Row(label, region, POOLED, pooled.scores(threshold)))
        rows += [Row(label, region, name, histograms[index].scores(threshold)) for name, histograms in images]
    return rows


def table(rows: list[Row], each_image: bool = False) -> str:
    """Lay out the pooled rows, or all of them, as text for a terminal."""
    chosen = [row for row in rows if each_image or row.image == POOLED]
    width = max(len(f"{row.map}, {row.region}") for row in chosen)
    name = max(len(row.image) for row in chosen)
    lines = [f"{'':{width}}  {'':{name}}     Acc     Sen     Spe    Dice     AUC  Sen at Spe 0.98"]
    for row in chosen:
        values = dataclasses.astuple(row.scores)
        if row.map != "model":
            values = (*values[:4], float("nan"), float("nan"))  # one drawn map has no curve
        figures = "  ".join(f"{value:6.4f}" if value == value else "     -" for value in values)
        lines.append(f"{f'{row.map}, {row.region}':{width}}  {row.image:{name}}  {figures}")
    return "\n".join(lines)


def write_csv(rows: list[Row], path: Path) -> None:
    """Write all rows, whole or not at all."""
    names = [field.name for field in fields(Scores)]
    with written_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["map", "region", "image", *names])
        for row in rows:
            values = [f"{value:.6f}" for value in dataclasses.astuple(row.scores)]
            writer.writerow([row.map, row.region, row.image, *values])


def write_json(rows: list[Row], facts: dict[str, Any], path: Path) -> None:
    """Write all rows with facts about the evaluation (model, data, threshold), whole or not at all."""
    entries = [
        {"map": row.map, "region": row.region, "image": row.image, **_without_nan(row.scores)} for row in rows
    ]
    text = json.dumps({**facts, "rows": entries}, indent=2, allow_nan=False) + "\n"
    with written_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _without_nan(scores: Scores) -> dict[str, float | None]:
    return {name: value if value == value else None for name, value in dataclasses.asdict(scores).items()}
