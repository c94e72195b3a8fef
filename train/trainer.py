"""The trainer: a stage on patches, then the paper's adversarial loop on regrouped images.

`Trainer.step` is one iteration. Batches, learning rates and all random draws are functions of the seed and
the iteration's number, so a trainer that loads a saved state goes on bit for bit.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from retinagan.runtime.errors import RetinaGanError
from retinagan.runtime.spec import NetworkInput, Tiling
from retinagan.train.averaging import Net, WeightAverage
from retinagan.train.batches import Batch, Batches, regroup, split
from retinagan.train.checkpoint import Checkpoint, load_checkpoint
from retinagan.train.checkpoints import find_checkpoint
from retinagan.train.datasets import TrainingImage
from retinagan.train.discriminator import Discriminator
from retinagan.train.generator import Generator
from retinagan.train.losses import adversarial_loss, discriminator_loss, pixel_loss
from retinagan.train.options import StageOptions, TrainingOptions

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
    """

    def __init__(self, images: list[TrainingImage], options: TrainingOptions) -> None:
        self.options = options
        self.iteration = 0
        config = options.generator
        self.network_input = NetworkInput(divisor=config.divisor)
        self._batches = Batches(images, options, self.network_input)
        torch.manual_seed(options.seed)
        self.generator = _in_channels_last(Generator(config))
        self.discriminator: Discriminator | None = None
        if options.has_discriminator:
            self.discriminator = _in_channels_last(Discriminator())
        if options.init:
            self._start_from(load_checkpoint(find_checkpoint(options.init)))
        self.average = WeightAverage(self.generator, options.ema)
        self._optimizers = self._make_optimizers()

    def _start_from(self, checkpoint: Checkpoint) -> None:
        theirs = checkpoint.generator.config
        if theirs != self.generator.config:
            raise TrainingError(
                f"{self.options.init} holds another net ({theirs}) than {self.options.model} "
                f"({self.generator.config}): choose the model that it was trained as"
            )
        self.generator.load_state_dict(checkpoint.generator.state_dict())
        if self.discriminator is not None and checkpoint.discriminator is not None:
            self.discriminator.load_state_dict(checkpoint.discriminator.state_dict())

    def _make_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        patches = torch.optim.AdamW(
            self.generator.parameters(),
            self.options.patches.learning_rate,
            weight_decay=self.options.weight_decay,
        )
        stage = self.options.adversarial
        optimizers: dict[str, torch.optim.Optimizer] = {"patches": patches}
        if self.discriminator is not None or stage.iterations:
            optimizers["generator"] = torch.optim.Adam(self.generator.parameters(), stage.learning_rate)
        if self.discriminator is not None:
            optimizers["discriminator"] = torch.optim.Adam(
                self.discriminator.parameters(), stage.discriminator_learning_rate
            )
        return optimizers

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
            answers "d_expert" = D(x), "d_generated" = D(G(z)) where there is a discriminator.

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
        return self._pixel_step("patches", self.options.patches, self.iteration, batch)

    def _image_step(self, batch: Batch) -> dict[str, float]:
        """G's step on the images of the adversarial stage, in their patches, by the pixel loss alone."""
        patch = self.options.patch
        patches = Batch(split(batch.image, patch), split(batch.roi, patch), split(batch.truth, patch))
        position = self.iteration - self.options.patches.iterations
        return self._pixel_step("generator", self.options.adversarial, position, patches)

    def _pixel_step(
        self, optimizer: str, stage: StageOptions, position: int, batch: Batch
    ) -> dict[str, float]:
        factor = self._rate_factor(stage, position)
        with self._autocast():
            logits = self.generator(_channels_last(batch.image), batch.roi)
        pixel = pixel_loss(logits, batch.truth, batch.roi, stage.dice_weight)
        self._update(optimizer, self.generator, pixel, stage.learning_rate * factor)
        return {"loss": pixel.item(), "pixel": pixel.item()}

    def _adversarial_step(self, batch: Batch) -> dict[str, float]:
        """D's step, then G's, on the images regrouped from G's patches (section 5.2 of the paper)."""
        assert self.discriminator is not None  # options admit adversarial iterations only with one
        stage, patch, size = self.options.adversarial, self.options.patch, batch.image.shape[-1]
        factor = self._rate_factor(stage, self.iteration - self.options.patches.iterations)
        green = batch.image[:, 1:2]  # (N, 1, S, S)
        with self._autocast():
            patches = self.generator(_channels_last(split(batch.image, patch)), split(batch.roi, patch))
        logits = regroup(patches.float(), size)  # (N, 1, S, S)
        generated = torch.sigmoid(logits) * batch.roi

        self.discriminator.train().requires_grad_(True)
        with self._autocast():
            on_expert = self.discriminator(green, batch.truth).float()
            on_generated = self.discriminator(green, generated.detach()).float()
        loss_d = discriminator_loss(on_expert, on_generated)
        self._update("discriminator", self.discriminator, loss_d, stage.discriminator_learning_rate * factor)

        self.discriminator.requires_grad_(False)
        with self._autocast():
            answer = self.discriminator(green, generated).float()
        pixel = pixel_loss(logits, batch.truth, batch.roi, stage.dice_weight)
        adversarial = adversarial_loss(answer)
        loss = stage.pixel_weight * pixel + stage.adversarial_weight * adversarial
        self._update("generator", self.generator, loss, stage.learning_rate * factor)
        return {
            "loss": loss.item(),
            "pixel": pixel.item(),
            "adversarial": adversarial.item(),
            "discriminator": loss_d.item(),
            "d_expert": torch.sigmoid(on_expert).mean().item(),
            "d_generated": torch.sigmoid(on_generated).mean().item(),
        }

    def _update(self, name: str, net: nn.Module, loss: Tensor, rate: float) -> None:
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the {name} loss is {loss.item()} at iteration {self.iteration}: train in another --out "
                "with a lower learning rate or --no-autocast; --init takes the last checkpoint to start from"
            )
        optimizer = self._optimizers[name]
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()

    def _rate_factor(self, stage: StageOptions, position: int) -> float:
        """Warm up linearly, then fall along half a cosine to 0 at the stage's end."""
        warm_up = max(min(WARM_UP, stage.iterations // 10), 1)
        fall = 0.5 * (1.0 + math.cos(math.pi * position / stage.iterations))
        return min((position + 1) / warm_up, 1.0) * fall

    def _autocast(self) -> torch.autocast:
        return torch.autocast("cpu", torch.bfloat16, enabled=self.options.autocast)

    def checkpoint(
        self, record: Mapping[str, Any] | None = None, threshold: float | None = None
    ) -> Checkpoint:
        """Everything so far, with the averaged generator as the one to use."""
        return Checkpoint(
            generator=self.average.net,
            discriminator=self.discriminator,
            preprocessing=self.options.preprocessing,
            network_input=self.network_input,
            tiling=Tiling(patch=self.options.preprocessing.working_size),
            threshold=threshold,
            record={"options": self.options.to_plain(), "iterations": self.iteration, **(record or {})},
            resume={
                "iteration": self.iteration,
                "generator": self.generator.state_dict(),
                "optimizers": {name: value.state_dict() for name, value in self._optimizers.items()},
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
        for name, state in checkpoint.resume["optimizers"].items():
            self._optimizers[name].load_state_dict(state)


def _in_channels_last(net: Net) -> Net:
    """Lay out weights so that convolutions in bfloat16 are about a third faster."""
    for parameter in net.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return net


def _channels_last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)


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
