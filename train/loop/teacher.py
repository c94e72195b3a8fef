"""Distillation: a trained generator's probabilities as part of what a smaller one learns."""

from __future__ import annotations

from dataclasses import replace

import torch

from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.spec import Preprocessing
from retinagan.train.loop.batches import Batch
from retinagan.train.nets.checkpoint import Checkpoint


class Teacher:
    """A frozen generator that softens the experts' maps by what it sees in the same patches.

    Binary cross-entropy is linear in its target, so that learning from the mixed map is learning from both,
    each with its weight (Hinton, Vinyals and Dean, 2015, arXiv:1503.02531, at temperature 1).

    Parameters
    ----------
    checkpoint : Checkpoint
        The teacher.
    weight : float
        Share of its probability in the map, 0 to 1; the expert has the rest.
    preprocessing : Preprocessing
        What the learner's images went through.
    patch : int
        Side of the learner's patches in pixels.
    device : torch.device
        Where to compute.

    Raises
    ------
    ModelError
        If the teacher was trained behind another equalization, so that it would not know these images, or
        does not take patches of this side. Another scale is allowed: it shows the teacher vessels
        magnified by the scales' ratio, which should lie within the scales that it was trained on.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        weight: float,
        preprocessing: Preprocessing,
        patch: int,
        device: torch.device,
    ) -> None:
        theirs, ours = checkpoint.preprocessing, preprocessing
        if (theirs.method, theirs.alpha) != (ours.method, ours.alpha):
            raise ModelError(
                f"the teacher knows images after {checkpoint.preprocessing.method}, the learner gets "
                f"{preprocessing.method}: choose the same --preprocess, or another --teacher"
            )
        divisor = checkpoint.generator.config.divisor
        if patch % divisor:
            raise ModelError(
                f"--patch {patch}: the teacher takes multiples of {divisor} pixels; choose another --patch"
            )
        self._generator = checkpoint.generator.to(device).eval().requires_grad_(False)
        self._weight = weight

    @torch.no_grad()
    def soften(self, batch: Batch) -> Batch:
        """Mix the batch's map with the teacher's probability, inside the retina."""
        probability = torch.sigmoid(self._generator(batch.image, batch.roi)) * batch.roi
        return replace(batch, truth=torch.lerp(batch.truth, probability, self._weight))
