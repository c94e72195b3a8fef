"""The paper's adversarial step: D's, then G's, on images regrouped from G's patches (section 5.2)."""

from __future__ import annotations

import torch
from torch import Tensor

from retinagan.train.loop.accumulation import Step
from retinagan.train.loop.batches import Batch, regroup, split
from retinagan.train.loop.losses import adversarial_loss, discriminator_loss, pixel_loss
from retinagan.train.loop.parts import PartWork, finite, vessel_shares
from retinagan.train.nets.discriminator import Discriminator
from retinagan.train.nets.generator import Generator
from retinagan.train.nets.memory import arranged

Drawn = tuple[Tensor, Tensor]
"""Whole maps (N, 1, S, S): logits, and probabilities that are 0 outside the retina."""


class AdversarialStep:
    """Steps of the adversarial stage.

    Parameters
    ----------
    generator, discriminator
        The nets.
    generator_step, discriminator_step : Step
        Of their weights.
    work : PartWork
        Parts of a batch, and the options.
    """

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        generator_step: Step,
        discriminator_step: Step,
        work: PartWork,
    ) -> None:
        self._generator, self._discriminator = generator, discriminator
        self._generator_step, self._discriminator_step = generator_step, discriminator_step
        self._stage, self._work = work.options.adversarial, work

    def on_images(self, batch: Batch, factor: float, iteration: int) -> dict[str, float]:
        """Do one step on a batch of whole images, at this share of both learning rates' peaks.

        Returns
        -------
        dict of str to float
            As `Trainer.step` gives it.
        """
        parts = list(self._work.parts(batch))
        statistics = self._work.statistics(self._generator)
        drawn = []
        for part in parts:
            with statistics.part():
                drawn.append(self._draw(part))
        statistics.end()
        answers = self._teach_discriminator(
            parts, drawn, self._stage.discriminator_learning_rate * factor, iteration
        )
        rate = self._stage.learning_rate * factor
        losses = self._teach_generator(parts, drawn, rate, iteration)
        return {**losses, **answers, "learning_rate": rate}

    def _draw(self, part: Batch) -> Drawn:
        options, size = self._work.options, part.image.shape[-1]
        with self._work.autocast():
            images = arranged(split(part.image, options.patch), options.precision)
            patches = self._generator(images, split(part.roi, options.patch))
        logits = regroup(patches.float(), size)
        return logits, torch.sigmoid(logits) * part.roi

    def _teach_discriminator(
        self, parts: list[Batch], drawn: list[Drawn], rate: float, iteration: int
    ) -> dict[str, float]:
        discriminator, step = self._discriminator.train().requires_grad_(True), self._discriminator_step
        meter, statistics = self._work.meter(), self._work.statistics(discriminator)
        step.begin(rate)
        for part, (_, generated) in zip(parts, drawn, strict=True):
            with statistics.part(), self._work.autocast():
                on_expert = discriminator(part.green, part.truth).float()
                on_generated = discriminator(part.green, generated.detach()).float()
            loss = discriminator_loss(on_expert, on_generated)
            step.backward(loss)
            meter.add(
                discriminator=loss,
                d_expert=torch.sigmoid(on_expert).mean(),
                d_generated=torch.sigmoid(on_generated).mean(),
            )
        statistics.end()
        means = finite("discriminator", "discriminator", meter.means(), iteration)
        step.end()
        return means

    def _teach_generator(
        self, parts: list[Batch], drawn: list[Drawn], rate: float, iteration: int
    ) -> dict[str, float]:
        stage, step = self._stage, self._generator_step
        discriminator = self._discriminator.requires_grad_(False)
        meter, statistics = self._work.meter(), self._work.statistics(discriminator)
        step.begin(rate)
        for part, (logits, generated) in zip(parts, drawn, strict=True):
            with statistics.part(), self._work.autocast():
                answer = discriminator(part.green, generated).float()
            pixel = pixel_loss(logits, part.truth, part.roi, stage.dice_weight)
            adversarial = adversarial_loss(answer)
            loss = stage.pixel_weight * pixel + stage.adversarial_weight * adversarial
            step.backward(loss)
            shares = vessel_shares(generated.detach(), part)
            meter.add(loss=loss, pixel=pixel, adversarial=adversarial, **shares)
        statistics.end()
        means = finite("generator", "loss", meter.means(), iteration)
        step.end()
        return means
