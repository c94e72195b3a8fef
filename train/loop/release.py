"""The released checkpoint of a training run: its threshold and the record of its data."""

from __future__ import annotations

import dataclasses

from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.worth import worth_fault
from retinagan.train.data.images import load_labelled
from retinagan.train.loop.learning import TrainingData
from retinagan.train.nets.checkpoint import Checkpoint
from retinagan.train.scores.calibration import fit_map_threshold
from retinagan.train.scores.evaluation import inside_fov
from retinagan.train.scores.metrics import Histogram
from retinagan.train.scores.prediction import checkpoint_predictor


def with_threshold(checkpoint: Checkpoint, data: TrainingData) -> tuple[Checkpoint, str]:
    """Choose the threshold with the largest Dice inside the FOV, and report the scores at it.

    The rule for each map's own threshold is fitted to the same images. They are the held-out images if there
    are any, else the training images; never test images. All datasets have the same weight, whatever their
    number of pixels.

    Returns
    -------
    (Checkpoint, str)
        A checkpoint with the threshold, the rule and the data in its record, without the trainer's state; and
        a line for people.

    Raises
    ------
    ModelError
        If the figures are those of a model that is unfit for use, see `worth_fault`.
    """
    predictor = checkpoint_predictor(checkpoint, "checkpoint")
    held_out = bool(data.held_out)
    samples = [source.held_out if held_out else source.kept for source in data.sources]
    histograms = [
        # one image at a time: an image of a current camera takes hundreds of megabytes
        inside_fov(predictor.predict, (load_labelled(sample) for sample in some))
        for some in samples
    ]
    histogram = Histogram.balanced(histograms)
    threshold = histogram.best_threshold()
    scores = histogram.scores(threshold)
    if fault := worth_fault(threshold, {"auc": scores.auc}):
        raise ModelError(
            f"not released: {fault}; look at the maps and masks, and train longer if those are right"
        )
    told = f"{sum(map(len, samples))} {'held-out' if held_out else 'training'} images"
    record = {**checkpoint.record, **data.record(), "threshold_from": told}
    released = dataclasses.replace(
        checkpoint.released(),
        threshold=threshold,
        map_threshold=fit_map_threshold(histograms),
        record=record,
    )
    return released, (
        f"threshold {threshold:g}; on {told}, inside the FOV: AUC {scores.auc:.4f}, Dice {scores.dice:.4f}"
    )
