"""From parsed arguments of `retina-train` to the options of a training."""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
from typing import TYPE_CHECKING, TypeVar

from retinagan.runtime.errors import OptionError
from retinagan.runtime.model.parameters import Preprocessing
from retinagan.train.checkpoints import find_checkpoint
from retinagan.train.data.geometric_jitter import GeometricJitter
from retinagan.train.loop.devices import choose_precision
from retinagan.train.loop.options import StageOptions, TrainingOptions
from retinagan.train.nets.config import GeneratorConfig

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

PATCHES_A_SIDE = 4
"""Patches along a side of an image; the paper cuts sixteen patches."""

MOST_JITTER_WORKERS = 16

_FROM_0 = (
    "learning_rate",
    "adversarial_learning_rate",
    "discriminator_learning_rate",
    "pixel_weight",
    "dice_weight",
    "adversarial_weight",
    "seed",
    "checkpoint_minutes",
    "snapshots",
)


def options_of(
    arguments: argparse.Namespace, device: torch.device | None = None, processes: int = 1
) -> TrainingOptions:
    """Return the training options of parsed arguments.

    The shape of the net and the preprocessing are those of the model of --init, unless they are given.

    Raises
    ------
    OptionError
        As `TrainingOptions` does.
    ModelError
        If there is no such model to start from.
    """
    import torch  # not before the options are parsed: it takes seconds

    from retinagan.train.nets.checkpoint import load_checkpoint

    _check_numbers(arguments)
    net, before = GeneratorConfig(), Preprocessing()
    if arguments.init:
        checkpoint = load_checkpoint(find_checkpoint(arguments.init))
        net, before = checkpoint.generator.config, checkpoint.preprocessing
    before = _scaled(before, arguments)
    parts = processes if arguments.accumulate is None else arguments.accumulate
    weights = {"pixel_weight": arguments.pixel_weight, "dice_weight": arguments.dice_weight}
    shape = GeneratorConfig(
        widths=_given(arguments.widths, net.widths),
        steps=_given(arguments.steps, net.steps),
        layers=_given(arguments.layers, net.layers),
        stem=_given(arguments.stem, net.stem),
    )
    return TrainingOptions(
        model=arguments.model,
        widths=shape.widths,
        steps=shape.steps,
        layers=shape.layers,
        stem=shape.stem,
        preprocessing=dataclasses.replace(before, method=_given(arguments.preprocess, before.method)),
        patches=StageOptions(arguments.iterations, arguments.learning_rate, **weights),
        adversarial=StageOptions(
            arguments.adversarial_iterations,
            arguments.adversarial_learning_rate,
            arguments.discriminator_learning_rate,
            adversarial_weight=arguments.adversarial_weight,
            **weights,
        ),
        patch=_given(arguments.patch, _usual_patch(before, shape.divisor)),
        batch=arguments.batch,
        image_batch=arguments.image_batch,
        reuse=arguments.reuse,
        weights=arguments.weights,
        experts=arguments.experts,
        validation=arguments.validation,
        ema=arguments.ema,
        precision=choose_precision(arguments.precision, device or torch.device("cpu")),
        accumulate=parts,
        seed=arguments.seed,
        init=arguments.init,
        teacher=arguments.teacher,
        teacher_weight=arguments.teacher_weight,
        colour=TrainingOptions().colour.scaled(arguments.colour_jitter),
        geometry=GeometricJitter(arguments.warped, arguments.scale),
    )


def jitter_workers(arguments: argparse.Namespace, processes: int = 1) -> int:
    """Return how many processes jitter images ahead of each training process of this machine.

    Raises
    ------
    OptionError
        If the number asked for is out of range.
    """
    asked: int | None = arguments.jitter_workers
    if asked is None:
        return max(1, min((os.cpu_count() or 1) // processes // 2, MOST_JITTER_WORKERS))
    if not 0 <= asked <= MOST_JITTER_WORKERS:
        raise OptionError(f"--jitter-workers {asked}: expected 0 to {MOST_JITTER_WORKERS}")
    return asked


def _check_numbers(arguments: argparse.Namespace) -> None:
    for name in _FROM_0:
        value = getattr(arguments, name)
        if not 0 <= value < math.inf:
            raise OptionError(f"--{name.replace('_', '-')} {value}: expected a finite number, 0 or more")
    if arguments.seed >= 2**63:
        raise OptionError(f"--seed {arguments.seed}: expected 0 to 2**63 - 1")


def _scaled(before: Preprocessing, arguments: argparse.Namespace) -> Preprocessing:
    """Return the preprocessing at the scale asked for."""
    size, density = arguments.working_size, arguments.pixels_per_degree
    if size is not None and density is not None:
        raise OptionError("--working-size and --pixels-per-degree exclude each other: give one")
    if size is not None or density is not None:
        before = dataclasses.replace(before, working_size=size, pixels_per_degree=density)
    magnification = arguments.largest_magnification
    if magnification is None:
        return before
    if before.pixels_per_degree is None:
        raise OptionError(f"--largest-magnification {magnification:g}: it needs --pixels-per-degree")
    return dataclasses.replace(before, largest_magnification=magnification)


def _usual_patch(before: Preprocessing, divisor: int) -> int:
    """Return a quarter of the square's side, or the next larger side that the net takes.

    Where the working size is fixed, the side divides it, as the stage on whole images requires.
    """
    size = before.usual_size
    quarter = size // PATCHES_A_SIDE
    for side in range(math.ceil(quarter / divisor) * divisor, size + 1, divisor):
        if side and (before.working_size is None or size % side == 0):
            return side
    return quarter  # no side fits, of which TrainingOptions says why


def _given(value: T | None, default: T) -> T:
    return default if value is None else value
