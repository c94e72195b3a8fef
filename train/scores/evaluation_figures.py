"""The charts of one evaluation: ROC curves, and the scores of each image."""

from __future__ import annotations

from pathlib import Path

from retinagan.train.scores.evaluation import FOV, MODEL, POOLED, REGIONS, Measured, Row
from retinagan.train.scores.figures import draw_lines, draw_roc
from retinagan.train.scores.metrics import Histogram

_CHARTS = {
    "accuracy": "accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "dice": "Dice",
}


def draw_evaluation(measured: list[Measured], rows: list[Row], folder: Path) -> None:
    """Draw `roc.png` and, inside the FOV, `images.png` into a folder.

    Parameters
    ----------
    measured : list of Measured
        Counts of the images.
    rows : list of Row
        Scores of the images.
    folder : Path
        An existing folder.
    """
    curves = {
        region: Histogram.pooled(image.model[index].histogram for image in measured)
        for index, region in enumerate(REGIONS)
    }
    maps = list(dict.fromkeys(row.map for row in rows))
    points = {
        ("at the threshold" if name == MODEL else name): [
            (row.scores.sensitivity, row.scores.specificity)
            for row in rows
            if row.map == name and row.image == POOLED
        ]
        for name in maps
    }
    draw_roc(curves, points, folder / "roc.png")
    images = [image.name for image in measured]
    lines = {
        f"{title}, inside the FOV": {name: _line(rows, name, field, images) for name in maps}
        for field, title in _CHARTS.items()
    }
    draw_lines(lines, images, folder / "images.png")


def _line(rows: list[Row], name: str, field: str, images: list[str]) -> list[float]:
    """Return one score of each image; NaN if it has no map, for example of a second observer."""
    found = {
        row.image: float(getattr(row.scores, field))
        for row in rows
        if row.map == name and row.region == FOV and row.image != POOLED
    }
    return [found.get(image, float("nan")) for image in images]
