"""The trainer: a stage on patches, then the paper's adversarial loop on regrouped images.

`Trainer.step` is one iteration. Batches, learning rates and all random draws are functions of the seed and
the iteration's number, so a trainer that loads a saved state goes on bit for bit.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from retinagan.runtime.errors import RetinaGanError
from retinagan.runtime.spec import NetworkInput, Tiling
from retinagan.train.accumulation import Meter, PartStatistics, Step
from retinagan.train.averaging import WeightAverage
from retinagan.train.batches import Batch, Batches, regroup, split
from retinagan.train.checkpoint import Checkpoint, load_checkpoint
from retinagan.train.checkpoints import find_checkpoint
from retinagan.train.datasets import TrainingImage
from retinagan.train.devices import autocast
from retinagan.train.discriminator import Discriminator
from retinagan.train.generator import Generator
from retinagan.train.layout import arranged, laid_out
from retinagan.train.losses import adversarial_loss, discriminator_loss, pixel_loss
from retinagan.train.options import StageOptions, TrainingOptions
from retinagan.train.teacher import Teacher
from retinagan.train.workers import ALONE, Workers

WARM_UP = 100
"""Iterations over which a stage's learning rate rises from near 0 (at most a tenth of the stage)."""


class TrainingError(RetinaGanError, RuntimeError):
    """Training cannot go on."""


class Trainer:
    """Generator, discriminator, optimizers and the number of the next iteration.

    Parameters
    ----------
    images : list of TrainingImage
        What to learn from.
    options : TrainingOptions
        Everything else. The weights' start depends on its seed alone.
    device : torch.device
        Where to compute.
    workers : Workers
        The processes that train together; each has a trainer of the same images and options.
    """

    def __init__(
        self,
        images: list[TrainingImage],
        options: TrainingOptions,
        device: torch.device | str = "cpu",
        workers: Workers = ALONE,
    ) -> None:
        if options.accumulate % workers.count:
            raise ValueError(
                f"--accumulate {options.accumulate}: {workers.count} processes share a batch's parts evenly; "
                f"expected a multiple of {workers.count}"
            )
        self.options = options
        self.device, self.workers = torch.device(device), workers
        self.iteration = 0
        config = options.generator
        self.network_input = NetworkInput(divisor=config.divisor)
        self._batches = Batches(images, options, self.network_input)
        torch.manual_seed(options.seed)
        self.generator = laid_out(Generator(config), options.precision)
        self.discriminator: Discriminator | None = None
        if options.has_discriminator:
            self.discriminator = laid_out(Discriminator(), options.precision)
        self._origins: dict[str, Any] = {}
        if options.init:
            self._start_from(load_checkpoint(find_checkpoint(options.init)))
        self._teacher: Teacher | None = None
        if options.teacher:
            checkpoint = load_checkpoint(find_checkpoint(options.teacher))
            self._origins["taught_by"] = dict(checkpoint.record)
            self._teacher = Teacher(checkpoint, options.teacher_weight, options.preprocessing, self.device)
        self.generator.to(self.device)
        if self.discriminator is not None:
            self.discriminator.to(self.device)
        self.average = WeightAverage(self.generator, options.ema)
        self._steps = self._make_steps()

    def _start_from(self, checkpoint: Checkpoint) -> None:
        self._origins["started_from"] = dict(checkpoint.record)
        theirs = checkpoint.generator.config
        if theirs != self.generator.config:
            raise TrainingError(
                f"{self.options.init} holds another net ({theirs}) than {self.options.model} "
                f"({self.generator.config}): choose the model that it was trained as"
            )
        self.generator.load_state_dict(checkpoint.generator.state_dict())
        if self.discriminator is not None and checkpoint.discriminator is not None:
            self.discriminator.load_state_dict(checkpoint.discriminator.state_dict())

    def _make_steps(self) -> dict[str, Step]:
        options, adversarial = self.options, self.options.adversarial
        parts, workers, scaled = options.accumulate, self.workers, options.precision == "fp16"
        optimizer: torch.optim.Optimizer = torch.optim.AdamW(
            self.generator.parameters(), options.patches.learning_rate, weight_decay=options.weight_decay
        )
        steps = {"patches": Step(self.generator, optimizer, parts, workers, scaled)}
        if self.discriminator is not None or adversarial.iterations:
            optimizer = torch.optim.Adam(self.generator.parameters(), adversarial.learning_rate)
            steps["generator"] = Step(self.generator, optimizer, parts, workers, scaled)
        if self.discriminator is not None:
            optimizer = torch.optim.Adam(
                self.discriminator.parameters(), adversarial.discriminator_learning_rate
            )
            steps["discriminator"] = Step(self.discriminator, optimizer, parts, workers, scaled)
        return steps

    @property
    def finished(self) -> bool:
        """Whether all iterations of both stages are done."""
        return self.iteration >= self.options.iterations

    @property
    def stage(self) -> str:
        """Stage of the next iteration: "patches", then "adversarial", or "images" without discriminator."""
        if self.iteration < self.options.patches.iterations:
            return "patches"
        return "images" if self.discriminator is None else "adversarial"

    def step(self) -> dict[str, float]:
        """Do one iteration of the stage it belongs to.

        Returns
        -------
        dict of str to float
            "loss" (the generator's), its terms "pixel" and "adversarial", "discriminator", and D's mean
            answers "d_expert" = D(x), "d_generated" = D(G(z)) where there is a discriminator; "vessels" and
            "predicted", the share of vessel in the truth and in the generator's answer, inside the retina;
            "learning_rate", the generator's.

        Raises
        ------
        TrainingError
            If a loss is not finite; the weights are those before the step.
        """
        self.generator.train()
        if self.stage == "patches":
            losses = self._patch_step(self._batches.patches(self.iteration))
        else:
            batch = self._batches.images(self.iteration - self.options.patches.iterations)
            losses = self._image_step(batch) if self.stage == "images" else self._adversarial_step(batch)
        self.average.update(self.generator, self.iteration)
        self.iteration += 1
        return losses

    def _patch_step(self, batch: Batch) -> dict[str, float]:
        parts = self._parts(batch)
        if self._teacher is not None:
            parts = map(self._teacher.soften, parts)
        return self._pixel_step("patches", self.options.patches, self.iteration, parts)

    def _image_step(self, batch: Batch) -> dict[str, float]:
        """G's step on the images of the adversarial stage, in their patches, by the pixel loss alone."""
        position = self.iteration - self.options.patches.iterations
        patches = (_in_patches(part, self.options.patch) for part in self._parts(batch))
        return self._pixel_step("generator", self.options.adversarial, position, patches)

    def _pixel_step(
        self, name: str, stage: StageOptions, position: int, parts: Iterator[Batch]
    ) -> dict[str, float]:
        step = self._steps[name]
        meter, statistics = self._meter(), self._statistics(self.generator)
        rate = stage.learning_rate * self._rate_factor(stage, position)
        step.begin(rate)
        for part in parts:
            with statistics.part(), self._autocast():
                logits = self.generator(arranged(part.image, self.options.precision), part.roi)
            pixel = pixel_loss(logits, part.truth, part.roi, stage.dice_weight)
            step.backward(pixel)
            meter.add(loss=pixel, pixel=pixel, **_shares(torch.sigmoid(logits.detach()), part))
        statistics.end()
        means = self._finite(name, "loss", meter.means())
        step.end()
        return {**means, "learning_rate": rate}

    def _adversarial_step(self, batch: Batch) -> dict[str, float]:
        """D's step, then G's, on the images regrouped from G's patches (section 5.2 of the paper)."""
        assert self.discriminator is not None  # options admit adversarial iterations only with one
        stage = self.options.adversarial
        factor = self._rate_factor(stage, self.iteration - self.options.patches.iterations)
        parts = list(self._parts(batch))
        statistics = self._statistics(self.generator)
        drawn = []
        for part in parts:
            with statistics.part():
                drawn.append(self._draw(part))
        statistics.end()
        answers = self._discriminator_step(parts, drawn, stage.discriminator_learning_rate * factor)
        rate = stage.learning_rate * factor
        losses = self._generator_step(parts, drawn, rate)
        return {**losses, **answers, "learning_rate": rate}

    def _draw(self, part: Batch) -> tuple[Tensor, Tensor]:
        """Whole maps from patches: logits, and probabilities that are 0 outside the retina."""
        patch, size = self.options.patch, part.image.shape[-1]
        with self._autocast():
            images = arranged(split(part.image, patch), self.options.precision)
            patches = self.generator(images, split(part.roi, patch))
        logits = regroup(patches.float(), size)  # (N, 1, S, S)
        return logits, torch.sigmoid(logits) * part.roi

    def _discriminator_step(
        self, parts: list[Batch], drawn: list[tuple[Tensor, Tensor]], rate: float
    ) -> dict[str, float]:
        assert self.discriminator is not None
        discriminator, step = self.discriminator.train().requires_grad_(True), self._steps["discriminator"]
        meter, statistics = self._meter(), self._statistics(discriminator)
        step.begin(rate)
        for part, (_, generated) in zip(parts, drawn, strict=True):
            with statistics.part(), self._autocast():
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
        means = self._finite("discriminator", "discriminator", meter.means())
        step.end()
        return means

    def _generator_step(
        self, parts: list[Batch], drawn: list[tuple[Tensor, Tensor]], rate: float
    ) -> dict[str, float]:
        assert self.discriminator is not None
        stage, step = self.options.adversarial, self._steps["generator"]
        discriminator = self.discriminator.requires_grad_(False)
        meter, statistics = self._meter(), self._statistics(discriminator)
        step.begin(rate)
        for part, (logits, generated) in zip(parts, drawn, strict=True):
            with statistics.part(), self._autocast():
                answer = discriminator(part.green, generated).float()
            pixel = pixel_loss(logits, part.truth, part.roi, stage.dice_weight)
            adversarial = adversarial_loss(answer)
            loss = stage.pixel_weight * pixel + stage.adversarial_weight * adversarial
            step.backward(loss)
            meter.add(loss=loss, pixel=pixel, adversarial=adversarial, **_shares(generated.detach(), part))
        statistics.end()
        means = self._finite("generator", "loss", meter.means())
        step.end()
        return means

    def _parts(self, batch: Batch) -> Iterator[Batch]:
        """Give the parts of a batch that fall to this process, on its device."""
        parts, count = self.options.accumulate, self.workers.count
        size = len(batch.image) // parts
        for number in range(self.workers.rank * parts // count, (self.workers.rank + 1) * parts // count):
            chosen = slice(number * size, (number + 1) * size)
            layers = (batch.image, batch.roi, batch.truth)
            yield Batch(*(layer[chosen].to(self.device) for layer in layers))

    def _meter(self) -> Meter:
        return Meter(self.options.accumulate, self.workers)

    def _statistics(self, net: Generator | Discriminator) -> PartStatistics:
        return PartStatistics(net, self.options.accumulate, self.workers)

    def _finite(self, name: str, key: str, means: dict[str, float]) -> dict[str, float]:
        if not math.isfinite(means[key]):
            raise TrainingError(
                f"the {name} loss is {means[key]} at iteration {self.iteration}: train in another --out with "
                "a lower learning rate or --precision fp32; --init takes the last checkpoint to start from"
            )
        return means

    def _rate_factor(self, stage: StageOptions, position: int) -> float:
        """Warm up linearly, then fall along half a cosine to 0 at the stage's end."""
        warm_up = max(min(WARM_UP, stage.iterations // 10), 1)
        fall = 0.5 * (1.0 + math.cos(math.pi * position / stage.iterations))
        return min((position + 1) / warm_up, 1.0) * fall

    def _autocast(self) -> torch.autocast:
        return autocast(self.device, self.options.precision)

    def checkpoint(
        self, record: Mapping[str, Any] | None = None, threshold: float | None = None
    ) -> Checkpoint:
        """Everything so far, with the averaged generator as the one to use."""
        return Checkpoint(
            generator=copy.deepcopy(self.average.net).cpu(),
            discriminator=self.discriminator,
            preprocessing=self.options.preprocessing,
            network_input=self.network_input,
            tiling=Tiling(patch=self.options.preprocessing.working_size),
            threshold=threshold,
            record={
                "options": self.options.to_plain(),
                "iterations": self.iteration,
                **self._origins,
                **(record or {}),
            },
            resume={
                "iteration": self.iteration,
                "generator": self.generator.state_dict(),
                "optimizers": {name: step.optimizer_state() for name, step in self._steps.items()},
                "scalers": {name: step.scaler_state() for name, step in self._steps.items()},
            },
        )

    def load(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of the same options.

        Raises
        ------
        TrainingError
            If the checkpoint was released without the trainer's state, or its options differ.
        """
        if checkpoint.resume is None:
            raise TrainingError(
                "this checkpoint was released without the trainer's state: it cannot be resumed"
            )
        try:
            theirs = TrainingOptions.from_plain(checkpoint.record["options"])
        except (KeyError, TypeError, ValueError) as error:
            raise TrainingError(f"the run there was written by another version ({error})") from None
        self.iteration = int(checkpoint.resume["iteration"])
        if self.iteration <= self.options.patches.iterations:
            # The adversarial stage has not begun: what it is to be like does not matter yet.
            theirs = dataclasses.replace(theirs, adversarial=self.options.adversarial)
        if theirs != self.options:
            raise TrainingError(
                f"the run there has other options ({_difference(theirs, self.options)}): "
                "give the same ones, or another --out"
            )
        self.generator.load_state_dict(checkpoint.resume["generator"])
        self.average.net.load_state_dict(checkpoint.generator.state_dict())
        if self.discriminator is not None and checkpoint.discriminator is not None:
            self.discriminator.load_state_dict(checkpoint.discriminator.state_dict())
        scalers = checkpoint.resume.get("scalers", {})
        for name, state in checkpoint.resume["optimizers"].items():
            self._steps[name].load(state, scalers.get(name, {}))


def _in_patches(batch: Batch, side: int) -> Batch:
    return Batch(split(batch.image, side), split(batch.roi, side), split(batch.truth, side))


def _shares(probability: Tensor, part: Batch) -> dict[str, Tensor]:
    """Shares of vessel inside the retina, of the truth and of the answer."""
    count = part.roi.sum().clamp(min=1.0)
    return {
        "vessels": (part.truth * part.roi).sum() / count,
        "predicted": (probability.float() * part.roi).sum() / count,
    }


def _difference(theirs: TrainingOptions, ours: TrainingOptions) -> str:
    pairs = zip(_flat(theirs), _flat(ours), strict=True)
    return ", ".join(f"{name}: {old} there, {new} asked for" for (name, old), (_, new) in pairs if old != new)


def _flat(options: Any, prefix: str = "") -> list[tuple[str, Any]]:
    found = []
    for item in dataclasses.fields(options):
        value = getattr(options, item.name)
        if dataclasses.is_dataclass(value):
            found += _flat(value, f"{prefix}{item.name}.")
        else:
            found.append((prefix + item.name, value))
    return found
