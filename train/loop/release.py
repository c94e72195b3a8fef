"""From a training run to a checkpoint that others use: its threshold, its scores, what it was trained on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from retinagan.runtime import __version__
from retinagan.train.data.files import Sample
from retinagan.train.data.images import load_labelled
from retinagan.train.nets.checkpoint import Checkpoint
from retinagan.train.scores.evaluation import inside_fov
from retinagan.train.scores.prediction import checkpoint_predictor


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from.

    Attributes
    ----------
    folder : str
        The dataset folder's name, as it is to stand in the model's record.
    kept, held_out : list of Sample
        Images trained on, and images held out.
    terms : str
        Under which terms the data may be used; recorded with the model.
    command : str
        The command that trained the model; recorded with it.
    """

    folder: str
    kept: list[Sample]
    held_out: list[Sample]
    terms: str = ""
    command: str = ""

    def record(self) -> dict[str, Any]:
        """Give what the model's record says of the data."""
        return {
            "data": self.folder,
            "terms": self.terms,
            "command": self.command,
            "software": {"retinagan": __version__, "torch": str(torch.__version__)},
            "training_images": [sample.name for sample in self.kept],
            "held_out_images": [sample.name for sample in self.held_out],
        }


def with_threshold(checkpoint: Checkpoint, data: TrainingData) -> tuple[Checkpoint, str]:
    """Choose the threshold with the largest Dice inside the FOV, and say how the checkpoint does there.

    Held-out images choose it if there are any, else the images trained on; never images of the test split.

    Returns
    -------
    (Checkpoint, str)
        A checkpoint with the threshold and the data in its record, without the trainer's state; and a line
        for people.
    """
    samples = data.held_out or data.kept
    predictor = checkpoint_predictor(checkpoint, "checkpoint")
    histogram = inside_fov(predictor.predict, (load_labelled(sample) for sample in samples))
    threshold = histogram.best_threshold()
    scores = histogram.scores(threshold)
    where = "held-out" if data.held_out else "training"
    record = {**checkpoint.record, **data.record(), "threshold_from": f"{len(samples)} {where} images"}
    released = dataclasses.replace(checkpoint.released(), threshold=threshold, record=record)
    return released, (
        f"threshold {threshold:g}; on {len(samples)} {where} images, inside the FOV: "
        f"AUC {scores.auc:.4f}, Dice {scores.dice:.4f}"
    )


def folder_name(path: str | Path) -> str:
    """Give a folder's own name, without the path that only this machine knows."""
    return Path(path).resolve().name
