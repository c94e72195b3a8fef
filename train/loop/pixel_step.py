"""The generator's step by the pixel loss alone."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from retinagan.train.loop.accumulation import Step
from retinagan.train.loop.batches import Batch, split
from retinagan.train.loop.losses import pixel_loss
from retinagan.train.loop.parts import PartWork, finite, vessel_shares
from retinagan.train.loop.teacher import Teacher
from retinagan.train.nets.generator import Generator
from retinagan.train.nets.memory import arranged


class PixelStep:
    """Steps of one stage.

    Parameters
    ----------
    name : str
        The loss's name in errors.
    generator : Generator
    step : Step
        Of the generator's weights.
    dice_weight : float
        Of the pixel loss.
    work : PartWork
        Parts of a batch.
    teacher : Teacher, optional
        Softens the maps of patches.
    """

    def __init__(
        self,
        name: str,
        generator: Generator,
        step: Step,
        dice_weight: float,
        work: PartWork,
        teacher: Teacher | None = None,
    ) -> None:
        self._name, self._generator, self._step = name, generator, step
        self._dice_weight, self._work, self._teacher = dice_weight, work, teacher

    def on_patches(self, batch: Batch, rate: float, iteration: int) -> dict[str, float]:
        """Do one step on a batch of patches at a learning rate; figures as `Trainer.step` gives them."""
        parts = self._work.parts(batch)
        taught = parts if self._teacher is None else map(self._teacher.soften, parts)
        return self._take(taught, rate, iteration)

    def on_images(self, batch: Batch, rate: float, iteration: int) -> dict[str, float]:
        """Do the same on a batch of whole images, in their patches."""
        side = self._work.options.patch
        patches = (_in_patches(part, side) for part in self._work.parts(batch))
        return self._take(patches, rate, iteration)

    def _take(self, parts: Iterable[Batch], rate: float, iteration: int) -> dict[str, float]:
        precision = self._work.options.precision
        meter, statistics = self._work.meter(), self._work.statistics(self._generator)
        self._step.begin(rate)
        for part in parts:
            with statistics.part(), self._work.autocast():
                logits = self._generator(arranged(part.image, precision), part.roi)
            pixel = pixel_loss(logits, part.truth, part.roi, self._dice_weight)
            self._step.backward(pixel)
            meter.add(loss=pixel, pixel=pixel, **vessel_shares(torch.sigmoid(logits.detach()), part))
        statistics.end()
        means = finite(self._name, "loss", meter.means(), iteration)
        self._step.end()
        return {**means, "learning_rate": rate}


def _in_patches(batch: Batch, side: int) -> Batch:
    return Batch(split(batch.image, side), split(batch.roi, side), split(batch.truth, side))
