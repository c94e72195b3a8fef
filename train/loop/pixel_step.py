"""A step of the generator by the pixel loss alone."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from retinagan.train.loop.batches import Batch, split
from retinagan.train.loop.losses import pixel_loss
from retinagan.train.loop.parts import OptimizerStep, PartWork, finite, vessel_shares
from retinagan.train.nets.memory import arranged


def pixel_step(
    step: OptimizerStep,
    parts: Iterable[Batch],
    dice_weight: float,
    rate: float,
    iteration: int,
    work: PartWork,
) -> dict[str, float]:
    """Take one step by the pixel loss.

    Parameters
    ----------
    step : OptimizerStep
        Optimizer steps of the generator.
    parts : iterable of Batch
        Parts of the batch that this process computes, as patches.
    dice_weight : float
        Weight of the Dice term in the pixel loss.
    rate : float
        Learning rate.
    iteration : int
        Number of the iteration, for the error message.
    work : PartWork
        How the batch is computed in parts.

    Returns
    -------
    dict of str to float
        Figures of the step, as `Trainer.step` returns them.

    Raises
    ------
    TrainingError
        If the loss is not finite; the weights are not changed.
    """
    generator, precision = step.net, work.options.precision
    meter, statistics = work.meter(), work.statistics(generator)
    step.begin(rate)
    for part in parts:
        with statistics.part(), work.autocast():
            logits = generator(arranged(part.image, precision), part.roi)
        pixel = pixel_loss(logits, part.truth, part.roi, dice_weight)
        step.backward(pixel)
        meter.add(loss=pixel, pixel=pixel, **vessel_shares(torch.sigmoid(logits.detach()), part))
    statistics.end()
    means = finite(step.name, "loss", meter.means(), iteration)
    step.end()
    return {**means, "learning_rate": rate}


def in_patches(batch: Batch, side: int) -> Batch:
    """Cut a batch of whole images into patches of `side` pixels."""
    return Batch(split(batch.image, side), split(batch.roi, side), split(batch.truth, side))
