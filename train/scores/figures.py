"""Draw charts and panels of an evaluation as PNG; the only module that imports matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from retinagan.runtime.atomic import written_atomically
from retinagan.train.scores.metrics import Histogram

Picture = NDArray[Any]
"""(H, W, 3) uint8 RGB, (H, W) bool, or (H, W) float32 in [0, 1]."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#666666")
"""A palette for colour-blind readers (Okabe and Ito, 2008)."""

RIGHT, WRONG, MISSED = (255, 255, 255), (230, 159, 0), (86, 180, 233)
"""Colours of an error map: true positives, false positives and false negatives."""

_DPI = 120


def draw_roc(
    curves: Mapping[str, Histogram], points: Mapping[str, Sequence[tuple[float, float]]], path: Path
) -> None:
    """Draw ROC curves, complete and with their corner enlarged.

    Parameters
    ----------
    curves : mapping of str to Histogram
        By name.
    points : mapping of str to sequence of (float, float)
        By name: sensitivity and specificity of thresholded maps, one for each curve, in its colour.
    path : Path
        The PNG file.
    """
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    whole, corner = figure.subplots(1, 2)
    corner.set(xlim=(0, 0.1), ylim=(0.6, 1))
    for axes in (whole, corner):
        for (name, histogram), colour in zip(curves.items(), COLOURS, strict=False):
            axes.plot(*histogram.roc(), color=colour, label=name, linewidth=1.5)
        for (name, pairs), marker in zip(points.items(), "osD", strict=False):
            axes.scatter([], [], color="black", marker=marker, label=name)  # the legend's entry
            for (sensitivity, specificity), colour in zip(pairs, COLOURS, strict=False):
                axes.scatter(1 - specificity, sensitivity, color=colour, marker=marker, zorder=3)
        axes.set(xlabel="1 - specificity", ylabel="sensitivity")
        axes.grid(alpha=0.3)
    whole.legend(loc="lower right")
    _save(figure, path)


def draw_lines(charts: Mapping[str, Mapping[str, Sequence[float]]], names: Sequence[str], path: Path) -> None:
    """Draw values by image, with a line for each system and charts one above the other.

    Parameters
    ----------
    charts : mapping of str to mapping of str to sequence of float
        Values of each line by its name, for each chart by its title.
    names : sequence of str
        The images.
    path : Path
        The PNG file.
    """
    width = max(6.0, 0.42 * len(names) + 2.5)
    figure = Figure(figsize=(width, 3.0 * len(charts)), layout="constrained")
    rows = np.atleast_1d(figure.subplots(len(charts), 1, sharex=True))
    for axes, (title, lines) in zip(rows, charts.items(), strict=True):
        for (name, values), colour, marker in zip(lines.items(), COLOURS, "os^Dx", strict=False):
            axes.plot(range(len(names)), values, color=colour, marker=marker, markersize=4, label=name)
        axes.set(ylabel=title)
        axes.grid(alpha=0.3)
    rows[0].legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=5, frameon=False)
    rows[-1].set_xticks(range(len(names)), names, rotation=45, ha="right")
    _save(figure, path)


def draw_grid(rows: Sequence[Mapping[str, Picture]], path: Path, errors: bool = False) -> None:
    """Draw pictures in rows, each under its title.

    Parameters
    ----------
    rows : sequence of mapping of str to picture
        Titles and pictures from left to right; only the first row's titles are written.
    path : Path
        The PNG file.
    errors : bool
        Whether to add a legend for the colours of an error map.
    """
    columns = max(len(row) for row in rows)
    height, width = next(iter(rows[0].values())).shape[:2]
    size = (3.2 * columns, (3.2 * height / width) * len(rows) + (0.7 if errors else 0.35))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for number, (line, row) in enumerate(zip(grid, rows, strict=True)):
        for axes, (title, picture) in zip(line, row.items(), strict=True):
            axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
            axes.set_axis_off()
            if number == 0:
                axes.set_title(title)
    if errors:
        legend = (("found", RIGHT), ("false alarm", WRONG), ("missed", MISSED))
        handles = [
            Patch(facecolor=f"#{bytes(colour).hex()}", edgecolor="black", label=name)
            for name, colour in legend
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    _save(figure, path)


def draw_panel(image: Picture, truth: Picture, probability: Picture, threshold: float, path: Path) -> None:
    """Draw an image, the expert's vessels, the result and their error map side by side; all (H, W)."""
    vessels = probability >= threshold
    row = {"image": image, "expert": truth, "result": vessels, "errors": error_map(vessels, truth)}
    draw_grid([row], path, errors=True)


def error_map(vessels: NDArray[np.bool_], truth: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the (H, W, 3) uint8 error map of two vessel maps."""
    colours = np.zeros((*truth.shape, 3), np.uint8)
    colours[vessels & truth], colours[vessels & ~truth], colours[~vessels & truth] = RIGHT, WRONG, MISSED
    return colours


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    with written_atomically(path) as temporary:
        figure.savefig(temporary, dpi=_DPI)
