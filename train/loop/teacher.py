"""Distillation: a trained generator's probabilities as part of the target of a smaller one."""

from __future__ import annotations

from dataclasses import replace

import torch

from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.parameters import Preprocessing
from retinagan.train.loop.batches import Batch
from retinagan.train.nets.checkpoint import Checkpoint


class Teacher:
    """A frozen generator whose probabilities are mixed with the experts' maps of the same patches.

    Binary cross-entropy is linear in its target, so the loss on the mixed map is the weighted sum of the
    losses on both (Hinton, Vinyals and Dean, 2015, arXiv:1503.02531, at temperature 1).

    Parameters
    ----------
    checkpoint : Checkpoint
        The teacher.
    weight : float
        Weight of its probability in the mixed map, 0 to 1; the rest is the expert's.
    preprocessing : Preprocessing
        Preprocessing of the learner's images.
    patch : int
        Side of the learner's patches in pixels.
    device : torch.device
        Device of the teacher.

    Raises
    ------
    ModelError
        If the teacher was trained with another equalization, or does not take patches of this side. Another
        scale is allowed: it magnifies the vessels by the ratio of the scales, which should be within the
        magnifications that the teacher was trained with.
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
        """Mix the maps of a batch with the teacher's probabilities, inside the retina."""
        probability = torch.sigmoid(self._generator(batch.image, batch.roi)) * batch.roi
        return replace(batch, truth=torch.lerp(batch.truth, probability, self._weight))
