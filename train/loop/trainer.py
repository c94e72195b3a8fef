"""The trainer: a stage on patches, then the paper's adversarial loop on regrouped images.

`Trainer.step` is one iteration. Batches, learning rates and all random draws are functions of the seed and
the number of the iteration, so a trainer that loads a saved state continues bit for bit.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

import torch

from retinagan.runtime.errors import OptionError
from retinagan.runtime.model.parameters import NetworkInput, Tiling
from retinagan.train.checkpoints import find_checkpoint
from retinagan.train.data.images import TrainingImage, images_sha256, qualified
from retinagan.train.loop.adversarial_step import adversarial_step
from retinagan.train.loop.batches import Batches
from retinagan.train.loop.options import TrainingOptions
from retinagan.train.loop.parts import OptimizerStep, PartWork, TrainingError
from retinagan.train.loop.pixel_step import in_patches, pixel_step
from retinagan.train.loop.resuming import resumed_state
from retinagan.train.loop.schedule import rate_factor
from retinagan.train.loop.teacher import Teacher
from retinagan.train.loop.workers import ALONE, Workers
from retinagan.train.nets.averaging import WeightAverage
from retinagan.train.nets.checkpoint import Checkpoint, load_checkpoint
from retinagan.train.nets.config import MODELS, GeneratorConfig, generator_config
from retinagan.train.nets.discriminator import Discriminator
from retinagan.train.nets.generator import Generator
from retinagan.train.nets.memory import laid_out


class Trainer:
    """Generator, discriminator, optimizers and the number of the next iteration.

    Parameters
    ----------
    images : list of TrainingImage
        Training images.
    options : TrainingOptions
        All other options. The initial weights depend on the seed alone.
    device : torch.device
        Device of the training.
    workers : Workers
        Processes that train together; each has a trainer with the same images and options.
    jitter_workers : int
        Processes that prepare images ahead of need; call `close` to end them.
    """

    def __init__(
        self,
        images: list[TrainingImage],
        options: TrainingOptions,
        device: torch.device | str = "cpu",
        workers: Workers = ALONE,
        jitter_workers: int = 0,
    ) -> None:
        if options.accumulate % workers.count:
            raise OptionError(
                f"--accumulate {options.accumulate}: {workers.count} processes share a batch's parts evenly; "
                f"expected a multiple of {workers.count}"
            )
        self.options = options
        self.device, self.workers = torch.device(device), workers
        self.iteration = 0
        config = options.generator
        self.network_input = NetworkInput(divisor=config.divisor)
        self._batches = Batches(images, options, self.network_input, jitter_workers)
        torch.manual_seed(options.seed)
        self.generator = laid_out(Generator(config), options.precision)
        self.discriminator: Discriminator | None = None
        if options.has_discriminator:
            self.discriminator = laid_out(Discriminator(), options.precision)
        self._origins: dict[str, Any] = {
            "training_images": [qualified(image.dataset, image.name) for image in images],
            "images_sha256": images_sha256(images),
        }
        if options.init:
            self._start_from(load_checkpoint(find_checkpoint(options.init)))
        self._teacher: Teacher | None = None
        if options.teacher:
            checkpoint = load_checkpoint(find_checkpoint(options.teacher))
            self._origins["taught_by"] = dict(checkpoint.record)
            self._teacher = Teacher(
                checkpoint, options.teacher_weight, options.preprocessing, options.patch, self.device
            )
        self.generator.to(self.device)
        if self.discriminator is not None:
            self.discriminator.to(self.device)
        self.average = WeightAverage(self.generator, options.ema)
        self._steps = self._make_steps()
        self._work = PartWork(options, self.device, workers)

    def _start_from(self, checkpoint: Checkpoint) -> None:
        self._origins["started_from"] = dict(checkpoint.record)
        theirs = checkpoint.generator.config
        if theirs != self.generator.config:
            differing = theirs.differing(self.generator.config)
            raise TrainingError(
                f"{self.options.init} is another net than --model {self.options.model} ({differing}): "
                f"{self._advice(theirs)}"
            )
        self.generator.load_state_dict(checkpoint.generator.state_dict())
        if self.discriminator is not None and checkpoint.discriminator is not None:
            self.discriminator.load_state_dict(checkpoint.discriminator.state_dict())

    def _advice(self, theirs: GeneratorConfig) -> str:
        """Return the options with which a net has that shape."""

        def shaped(config: GeneratorConfig) -> GeneratorConfig:
            shape = {name: getattr(theirs, name) for name in ("widths", "steps", "layers", "stem")}
            return dataclasses.replace(config, **shape)

        fitting = [name for name in MODELS if shaped(generator_config(name)) == theirs]
        advice = []
        if not fitting:
            return "no --model has that shape, so it cannot be trained further here"
        if self.options.model not in fitting:
            advice.append(f"choose --model {' or '.join(fitting)}")
        if shaped(self.generator.config) != self.generator.config:
            advice.append("leave --widths, --steps, --layers and --stem out")
        return "; ".join(advice)

    def _make_steps(self) -> dict[str, OptimizerStep]:
        options, adversarial = self.options, self.options.adversarial
        parts, workers, scaled = options.accumulate, self.workers, options.precision == "fp16"
        optimizer: torch.optim.Optimizer = torch.optim.AdamW(
            self.generator.parameters(), options.patches.learning_rate, weight_decay=options.weight_decay
        )
        steps = {"patches": OptimizerStep("patches", self.generator, optimizer, parts, workers, scaled)}
        if self.discriminator is not None or adversarial.iterations:
            optimizer = torch.optim.Adam(self.generator.parameters(), adversarial.learning_rate)
            steps["generator"] = OptimizerStep("generator", self.generator, optimizer, parts, workers, scaled)
        if self.discriminator is not None:
            optimizer = torch.optim.Adam(
                self.discriminator.parameters(), adversarial.discriminator_learning_rate
            )
            steps["discriminator"] = OptimizerStep(
                "discriminator", self.discriminator, optimizer, parts, workers, scaled
            )
        return steps

    def close(self) -> None:
        """End the processes that prepare images."""
        self._batches.close()

    @property
    def finished(self) -> bool:
        """Whether both stages are done."""
        return self.iteration >= self.options.iterations

    @property
    def stage(self) -> str:
        """Stage of the next iteration: "patches", then "adversarial", or "images" without a discriminator."""
        if self.iteration < self.options.patches.iterations:
            return "patches"
        return "images" if self.discriminator is None else "adversarial"

    def step(self) -> dict[str, float]:
        """Do one iteration of the current stage.

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
        # The statistics of single images are poor: a net trained on patches keeps the statistics it has.
        trained = bool(self.options.patches.iterations or self.options.init)
        self.generator.train(self.stage == "patches" or not trained)
        losses = self._patch_step() if self.stage == "patches" else self._image_step()
        self.average.update(self.generator, self.iteration)
        self.iteration += 1
        return losses

    def _patch_step(self) -> dict[str, float]:
        """Take a step on patches, whose maps a teacher softens if there is one."""
        stage, work, step = self.options.patches, self._work, self._steps["patches"]
        parts = work.parts(self._batches.patches(self.iteration))
        taught = parts if self._teacher is None else map(self._teacher.soften, parts)
        rate = stage.learning_rate * rate_factor(self.iteration, stage.iterations)
        return pixel_step(step, taught, stage.dice_weight, rate, self.iteration, work)

    def _image_step(self) -> dict[str, float]:
        """Take a step on whole images: against the discriminator, or by the pixel loss if there is none."""
        stage, work, steps = self.options.adversarial, self._work, self._steps
        position = self.iteration - self.options.patches.iterations
        batch, factor = self._batches.images(position), rate_factor(position, stage.iterations)
        if self.discriminator is not None:
            return adversarial_step(
                steps["generator"], steps["discriminator"], batch, factor, self.iteration, work
            )
        parts = (in_patches(part, self.options.patch) for part in work.parts(batch))
        rate = stage.learning_rate * factor
        return pixel_step(steps["generator"], parts, stage.dice_weight, rate, self.iteration, work)

    def checkpoint(
        self, record: Mapping[str, Any] | None = None, threshold: float | None = None
    ) -> Checkpoint:
        """Return a checkpoint of the current state, with the averaged generator as the model."""
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
        """Resume from a checkpoint of the same options and images.

        Raises
        ------
        TrainingError
            If the checkpoint was released without the trainer's state, or its options or images differ.
        """
        state = resumed_state(checkpoint, self.options, self._origins)
        self.iteration = int(state["iteration"])
        self.generator.load_state_dict(state["generator"])
        self.average.net.load_state_dict(checkpoint.generator.state_dict())
        if self.discriminator is not None and checkpoint.discriminator is not None:
            self.discriminator.load_state_dict(checkpoint.discriminator.state_dict())
        scalers = state.get("scalers", {})
        for name, optimizer in state["optimizers"].items():
            self._steps[name].load(optimizer, scalers.get(name, {}))
