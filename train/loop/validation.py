"""Scores of the averaged weights on held-out images, during the training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from retinagan.runtime.errors import ImageError, OptionError
from retinagan.runtime.model.parameters import NetworkInput, Preprocessing, Tiling
from retinagan.runtime.steps.prepare import Prepared, prepare
from retinagan.runtime.steps.segment import Network, segment_square
from retinagan.train.data.description import DataError
from retinagan.train.data.files import Sample
from retinagan.train.data.images import LabelledImage, crop_for_training, load_labelled
from retinagan.train.loop.losses import pixel_loss
from retinagan.train.nets.generator import Generator
from retinagan.train.scores.metrics import Histogram

SCORES = ("auc", "dice", "threshold", "pixel")
"""Names of the scores: AUC, and the largest Dice with its threshold, of all pixels inside the FOV at native
size; and the mean pixel loss, as in training, of whole images without augmentation."""

_WHOLE = Tiling(patch=None)


@dataclass(frozen=True)
class _HeldOut:
    labelled: LabelledImage
    prepared: Prepared
    truth: Tensor  # (1, 1, S, S) uint8: share of vessel, 0 to 255, at working size


class Validation:
    """Held-out images, equalized once.

    Scoring draws no random number and changes no weight: a run is the same with and without it.

    Parameters
    ----------
    samples : list of Sample
        At least one.
    preprocessing : Preprocessing
        That of the run.
    network_input : NetworkInput
        That of the run.
    every : int
        Iterations between two scorings.

    Raises
    ------
    DataError
        With a line for each sample that cannot be used.
    """

    def __init__(
        self, samples: list[Sample], preprocessing: Preprocessing, network_input: NetworkInput, every: int
    ) -> None:
        if every < 1:
            raise OptionError(f"--validation-every {every}: expected a whole number from 1")
        self._every, self._network_input = every, network_input
        images, faults = [], []
        for sample in samples:
            try:
                images.append(_held_out(sample, preprocessing))
            except (DataError, ImageError) as error:
                faults.append(str(error))
        if faults:
            raise DataError("\n".join(faults))
        self._images = images

    def is_due(self, iteration: int, last: bool) -> bool:
        """Return whether to score after this iteration; always true after the last."""
        return last or iteration % self._every == 0

    @torch.inference_mode()
    def scores(self, net: Generator) -> dict[str, float]:
        """Score a net in evaluation mode on its own device; return `SCORES` by name."""
        losses, histograms = [], []
        for image in self._images:
            loss, histogram = self._score(net, image)
            losses.append(loss)
            histograms.append(histogram)
        pooled = Histogram.pooled(histograms)
        threshold = pooled.best_threshold()
        scores = pooled.scores(threshold)
        values = (scores.auc, scores.dice, threshold, sum(losses) / len(losses))
        return dict(zip(SCORES, values, strict=True))

    def _score(self, net: Generator, image: _HeldOut) -> tuple[float, Histogram]:
        device, losses = next(net.parameters()).device, []

        def infer(
            patches: NDArray[np.float32], inside: NDArray[np.float32], probability: NDArray[np.float32]
        ) -> None:
            roi = torch.from_numpy(inside).to(device)
            logits = net(torch.from_numpy(patches).to(device), roi)
            losses.append(float(pixel_loss(logits, image.truth.to(device) / 255.0, roi)))
            probability[:] = torch.sigmoid(logits.float()).cpu().numpy()

        found = segment_square(image.prepared, _WHOLE, Network(infer, self._network_input)).probability
        return losses[0], Histogram.of(found, image.labelled.truth, image.labelled.fov)


def _held_out(sample: Sample, preprocessing: Preprocessing) -> _HeldOut:
    labelled = load_labelled(sample)
    truth = crop_for_training(labelled, preprocessing).truth
    prepared = prepare(labelled.image, preprocessing, field_of_view=labelled.field_of_view)
    return _HeldOut(labelled, prepared, torch.from_numpy(truth)[None, None])
