"""The paper's figures 7 to 11, drawn for the systems trained here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from retinagan.train.data.images import LabelledImage
from retinagan.train.nets.checkpoint import load_checkpoint
from retinagan.train.paper.page import LINE_FIGURES
from retinagan.train.paper.printed import MODELS, TABLE_1, System
from retinagan.train.paper.reproduction import MODEL_FILE, PROGRESS_OF, Result
from retinagan.train.scores.evaluation import SQUARE
from retinagan.train.scores.figures import Picture, draw_grid, draw_lines
from retinagan.train.scores.prediction import probability_map

_DETAIL = 3
"""The image's side divided by the detail's."""


def draw_line_figures(results: Sequence[Result], names: Sequence[str], folder: Path) -> None:
    """Draw figures 9 to 11: one rate for each test image, one line for each system of table 1."""
    shown = [result for result in results if result.system in TABLE_1]
    for number, score in LINE_FIGURES.items():
        lines = {MODELS[result.system.model]: result.each(SQUARE, score) for result in shown}
        draw_lines({f"{score}, whole image, 512x512": lines}, names, folder / f"figure-{number}.png")


def draw_progress(image: LabelledImage, models: Mapping[int, Path], path: Path) -> None:
    """Draw figure 7: a detail of an image, the expert's vessels, and Retina-GAN's maps during training.

    Parameters
    ----------
    image : LabelledImage
        The image with the expert's map.
    models : mapping of int to Path
        Checkpoints by iteration, from `progress_models`.
    path : Path
        PNG file to write.
    """
    window = _richest_window(image)
    row: dict[str, Picture] = {"image": image.image[window], "expert": image.truth[window]}
    for number, model in models.items():
        row[f"after {number:,}"] = probability_map(load_checkpoint(model), image.image)[window]
    draw_grid([row], path)


def draw_comparison(images: Sequence[LabelledImage], runs: Path, path: Path) -> None:
    """Draw figure 8: images, the expert's vessels, RU-Net's and Retina-GAN's, each at its own threshold."""
    systems = [System("ru-net", "ace"), PROGRESS_OF]
    models = {MODELS[one.model]: load_checkpoint(runs / one.name / MODEL_FILE) for one in systems}
    rows = []
    for image in images:
        row: dict[str, Picture] = {"image": image.image, "expert": image.truth}
        for title, model in models.items():
            threshold = 0.5 if model.threshold is None else model.threshold
            row[title] = probability_map(model, image.image) >= threshold
        rows.append(row)
    draw_grid(rows, path)


def _richest_window(image: LabelledImage) -> tuple[slice, slice]:
    """Return the square with the most vessel pixels."""
    side = min(image.truth.shape) // _DETAIL
    sums = cv2.boxFilter(image.truth.astype(np.float32), -1, (side, side), anchor=(0, 0), normalize=False)
    valid = sums[: image.truth.shape[0] - side + 1, : image.truth.shape[1] - side + 1]
    row, column = np.unravel_index(int(valid.argmax()), valid.shape)
    return slice(int(row), int(row) + side), slice(int(column), int(column) + side)
