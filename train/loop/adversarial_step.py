"""The paper's adversarial step: first D's, then G's, on images regrouped from G's patches (section 5.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from retinagan.train.loop.batches import Batch, regroup, split
from retinagan.train.loop.losses import adversarial_loss, discriminator_loss, pixel_loss
from retinagan.train.loop.parts import OptimizerStep, PartWork, finite, vessel_shares
from retinagan.train.nets.memory import arranged


@dataclass(frozen=True)
class _Drawn:
    """A part of the batch with the generator's whole maps (N, 1, S, S).

    `logits` are the generator's; `generated` are its probabilities, 0 outside the retina.
    """

    part: Batch
    logits: Tensor
    generated: Tensor


def adversarial_step(
    generator_step: OptimizerStep,
    discriminator_step: OptimizerStep,
    batch: Batch,
    factor: float,
    iteration: int,
    work: PartWork,
) -> dict[str, float]:
    """Take one step of the discriminator and one of the generator on a batch of whole images.

    Parameters
    ----------
    generator_step, discriminator_step : OptimizerStep
        Steps of the two nets.
    batch : Batch
        Whole images, whose side is a multiple of the patch.
    factor : float
        Share of the peak of both learning rates.
    iteration : int
        Number of the iteration, for error messages.
    work : PartWork
        How the batch is computed in parts, and the options of the run.

    Returns
    -------
    dict of str to float
        Figures of the step, as `Trainer.step` returns them.

    Raises
    ------
    TrainingError
        If a loss is not finite; the weights of the net concerned are not changed.
    """
    stage = work.options.adversarial
    statistics = work.statistics(generator_step.net)
    drawn = []
    for part in work.parts(batch):
        with statistics.part():
            drawn.append(_draw(generator_step.net, part, work))
    statistics.end()
    discriminator, rate = discriminator_step.net, stage.discriminator_learning_rate * factor
    answers = _train_discriminator(discriminator_step, drawn, rate, iteration, work)
    rate = stage.learning_rate * factor
    losses = _train_generator(generator_step, discriminator, drawn, rate, iteration, work)
    return {**losses, **answers, "learning_rate": rate}


def _draw(generator: nn.Module, part: Batch, work: PartWork) -> _Drawn:
    """Run the generator on the patches of whole images, and regroup its maps."""
    options, size = work.options, part.image.shape[-1]
    with work.autocast():
        images = arranged(split(part.image, options.patch), options.precision)
        patches = generator(images, split(part.roi, options.patch))
    logits = regroup(patches.float(), size)
    return _Drawn(part, logits, torch.sigmoid(logits) * part.roi)


def _train_discriminator(
    step: OptimizerStep, drawn: list[_Drawn], rate: float, iteration: int, work: PartWork
) -> dict[str, float]:
    discriminator = step.net.train().requires_grad_(True)
    meter, statistics = work.meter(), work.statistics(discriminator)
    step.begin(rate)
    for one in drawn:
        part = one.part
        with statistics.part(), work.autocast():
            on_expert = discriminator(part.green, part.truth).float()
            on_generated = discriminator(part.green, one.generated.detach()).float()
        loss = discriminator_loss(on_expert, on_generated)
        step.backward(loss)
        meter.add(
            discriminator=loss,
            d_expert=torch.sigmoid(on_expert).mean(),
            d_generated=torch.sigmoid(on_generated).mean(),
        )
    statistics.end()
    means = finite(step.name, "discriminator", meter.means(), iteration)
    step.end()
    return means


def _train_generator(
    step: OptimizerStep,
    discriminator: nn.Module,
    drawn: list[_Drawn],
    rate: float,
    iteration: int,
    work: PartWork,
) -> dict[str, float]:
    stage = work.options.adversarial
    discriminator.requires_grad_(False)
    meter, statistics = work.meter(), work.statistics(discriminator)
    step.begin(rate)
    for one in drawn:
        part = one.part
        with statistics.part(), work.autocast():
            answer = discriminator(part.green, one.generated).float()
        pixel = pixel_loss(one.logits, part.truth, part.roi, stage.dice_weight)
        adversarial = adversarial_loss(answer)
        loss = stage.pixel_weight * pixel + stage.adversarial_weight * adversarial
        step.backward(loss)
        shares = vessel_shares(one.generated.detach(), part)
        meter.add(loss=loss, pixel=pixel, adversarial=adversarial, **shares)
    statistics.end()
    means = finite(step.name, "loss", meter.means(), iteration)
    step.end()
    return means
