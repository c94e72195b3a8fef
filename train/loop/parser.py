"""The options of `retina-train`, and the command that a model's record names."""

from __future__ import annotations

import argparse
import dataclasses
import math
import shlex
from typing import TypeVar

import torch

from retinagan.runtime import __version__
from retinagan.runtime.model.spec import Preprocessing
from retinagan.train.checkpoints import find_checkpoint
from retinagan.train.data.augmentation import GeometricJitter
from retinagan.train.data.files import ALL, TRAINING
from retinagan.train.loop.devices import DEVICES, PRECISIONS, choose_precision
from retinagan.train.loop.options import StageOptions, TrainingOptions
from retinagan.train.loop.release import folder_name
from retinagan.train.nets.checkpoint import load_checkpoint
from retinagan.train.nets.generator import MODELS, GeneratorConfig

EPILOG = """\
The run's folder receives model.pt at the end (patches.pt where the first stage ends), and on the way
checkpoint.pt, log.csv, options.json and, with --validation, validation.csv. Started again with the same
folder and options, a run that was interrupted goes on where it stopped, bit for bit. The paper's own schedule
is --iterations 0 --adversarial-iterations 4000. Several GPUs or machines train together under torchrun:
torchrun --nproc-per-node 2 -m retinagan.train.commands --data ... (docs/training.md).
"""

T = TypeVar("T")

PATCHES_A_SIDE = 4
"""The paper's sixteen patches of an image."""

_STANDARD = TrainingOptions()
_NUMBERS: tuple[tuple[str, float, str, str], ...] = (
    ("--iterations", _STANDARD.patches.iterations, "N", "iterations on patches, with the pixel loss alone"),
    ("--adversarial-iterations", _STANDARD.adversarial.iterations, "N",
     "iterations against the discriminator after that, on regrouped images"),
    ("--batch", _STANDARD.batch, "N", "patches in a batch, over all processes"),
    ("--images", _STANDARD.images, "N", "whole images in a batch against the discriminator"),
    ("--learning-rate", _STANDARD.patches.learning_rate, "RATE", "peak rate on patches"),
    ("--adversarial-learning-rate", _STANDARD.adversarial.learning_rate, "RATE",
     "the generator's peak rate against the discriminator"),
    ("--discriminator-learning-rate", _STANDARD.adversarial.discriminator_learning_rate, "RATE",
     "the discriminator's peak rate"),
    ("--pixel-weight", _STANDARD.patches.pixel_weight, "W", "weight of binary cross-entropy"),
    ("--dice-weight", _STANDARD.patches.dice_weight, "W", "weight of 1 - Dice"),
    ("--adversarial-weight", _STANDARD.adversarial.adversarial_weight, "W",
     "weight of the generator's adversarial loss"),
    ("--teacher-weight", _STANDARD.teacher_weight, "SHARE", "of the teacher in what is learned, 0 to 1"),
    ("--validation", _STANDARD.validation, "N",
     "training images held out; they are scored on the way, and choose the threshold"),
    ("--validation-every", 250, "N", "iterations between two scorings of the images held out"),
    ("--colour-jitter", 1.0, "FACTOR", "strength of the colours' augmentation, 0 for none"),
    ("--warped", _STANDARD.geometry.warped, "SHARE", "share of patches warped: rotated and scaled"),
    ("--ema", _STANDARD.ema, "DECAY", "decay of the weights' running average, 0 for none"),
    ("--seed", _STANDARD.seed, "N", "of weights, batches and augmentation"),
    ("--checkpoint-minutes", 3.0, "M", "time between checkpoints"),
    ("--snapshots", 0, "N", "iterations between models that are kept as iteration-N.pt, 0 for none"),
)  # fmt: skip

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

_OF_NO_CONSEQUENCE = (
    "data",
    "out",
    "threads",
    "checkpoint_minutes",
    "snapshots",
    "validation_every",
    "device",
    "tensorboard",
)
"""Options that leave the weights as they are; the data is named by its folder's own name."""


def build_parser(command: str = "retina-train") -> argparse.ArgumentParser:
    """Build the command's parser; its errors are said to be that command's."""
    parser = argparse.ArgumentParser(
        prog=command, description="Train a vessel segmentation model.", epilog=EPILOG, allow_abbrev=False
    )
    add = parser.add_argument
    add("--data", required=True, metavar="DIR",
        help="dataset folder: DRIVE, CHASE_DB1, STARE, HRF, or images/ with labels/")  # fmt: skip
    add("--split", choices=(TRAINING, ALL), default=TRAINING,
        help="train on its training images, or on all (default: %(default)s)")  # fmt: skip
    add("--out", default="runs/retina-gan", metavar="DIR", help="the run's folder (default: %(default)s)")
    add("--model", choices=MODELS, default="retina-gan", help="system to train (default: %(default)s)")
    add("--init", default="", metavar="MODEL",
        help="checkpoint to start from, a file or a bundled name (default: none)")  # fmt: skip
    shape = parser.add_argument_group("what a model of --init decides, where they are left out").add_argument
    shape("--preprocess", metavar="METHOD", help="ace, clahe or none (default: ace)")
    shape("--working-size", type=int, metavar="PIXELS",
          help="side of the square round the retina (default: 512)")  # fmt: skip
    shape("--patch", type=int, metavar="PIXELS",
          help="side of a patch, a divisor of --working-size (default: a quarter of it)")  # fmt: skip
    shape("--widths", type=_channels, metavar="N,N,...",
          help="channels of each scale of the generator (default: 16,32,64,128)")  # fmt: skip
    shape("--steps", type=int, metavar="N", help="feedback steps of a recurrent layer (default: 2)")
    shape("--layers", type=int, metavar="N", help="recurrent layers in a block (default: 1)")
    for flag, value, unit, text in _NUMBERS:
        add(flag, type=type(value), default=value, metavar=unit, help=f"{text} (default: %(default)s)")
    add("--scale", type=_magnifications, default=_STANDARD.geometry.scale, metavar="LOW,HIGH",
        help="magnification of warped patches (default: 0.75,1.6)")  # fmt: skip
    add("--teacher", default="", metavar="MODEL",
        help="checkpoint to learn from beside the maps, in the patch stage (default: none)")  # fmt: skip
    add("--terms", default="", metavar="TEXT", help="terms of use of the data, kept in the model's record")
    add("--accumulate", type=int, metavar="N",
        help="parts that a batch is computed in, to save memory (default: one for each process)")  # fmt: skip
    add("--device", choices=DEVICES, default="auto", help="where to compute (default: %(default)s)")
    add("--precision", choices=("auto", *PRECISIONS), default="auto",
        help="number format of convolutions (default: bf16 or fp16 where the device has it)")  # fmt: skip
    add(
        "--no-autocast",
        dest="precision",
        action="store_const",
        const="fp32",
        help="the same as --precision fp32",
    )
    add("--threads", type=int, default=0, metavar="N", help="CPU threads (default: all)")
    add("--tensorboard", action="store_true", help="write the figures of log.csv for TensorBoard too")
    add("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def options_of(
    arguments: argparse.Namespace, device: torch.device | None = None, processes: int = 1
) -> TrainingOptions:
    """Training options from parsed arguments, for a device (the CPU if left out) and so many processes.

    The shape of the net and what comes before it are those of the model to start from, where not given.

    Raises
    ------
    ValueError
        As `TrainingOptions` does.
    ModelError
        If there is no such model to start from.
    """
    _check_numbers(arguments)
    net, before = GeneratorConfig(), Preprocessing()
    if arguments.init:
        checkpoint = load_checkpoint(find_checkpoint(arguments.init))
        net, before = checkpoint.generator.config, checkpoint.preprocessing
    working_size = _given(arguments.working_size, before.fixed_size)
    parts = processes if arguments.accumulate is None else arguments.accumulate
    weights = {"pixel_weight": arguments.pixel_weight, "dice_weight": arguments.dice_weight}
    return TrainingOptions(
        model=arguments.model,
        widths=_given(arguments.widths, net.widths),
        steps=_given(arguments.steps, net.steps),
        layers=_given(arguments.layers, net.layers),
        preprocessing=dataclasses.replace(
            before, method=_given(arguments.preprocess, before.method), working_size=working_size
        ),
        patches=StageOptions(arguments.iterations, arguments.learning_rate, **weights),
        adversarial=StageOptions(
            arguments.adversarial_iterations,
            arguments.adversarial_learning_rate,
            arguments.discriminator_learning_rate,
            adversarial_weight=arguments.adversarial_weight,
            **weights,
        ),
        patch=_given(arguments.patch, working_size // PATCHES_A_SIDE),
        batch=arguments.batch,
        images=arguments.images,
        validation=arguments.validation,
        ema=arguments.ema,
        precision=choose_precision(arguments.precision, device or torch.device("cpu")),
        accumulate=parts,
        seed=arguments.seed,
        init=arguments.init,
        teacher=arguments.teacher,
        teacher_weight=arguments.teacher_weight,
        colour=_STANDARD.colour.scaled(arguments.colour_jitter),
        geometry=GeometricJitter(arguments.warped, arguments.scale),
    )


def _given(value: T | None, default: T) -> T:
    return default if value is None else value


def _check_numbers(arguments: argparse.Namespace) -> None:
    for name in _FROM_0:
        value = getattr(arguments, name)
        if not 0 <= value < math.inf:
            raise ValueError(f"--{name.replace('_', '-')} {value}: expected a number from 0 on, and finite")
    if arguments.seed >= 2**63:
        raise ValueError(f"--seed {arguments.seed}: expected 0 to 2**63 - 1, which is what generators take")


def _channels(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected channels such as 16,32,64") from None


def _magnifications(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected two factors such as 0.75,1.6") from None
    return low, high


def command_of(arguments: argparse.Namespace, options: TrainingOptions) -> str:
    """Give the command with all that decides the result, and nothing that only this machine knows.

    Where several processes shared the batches it is the command of one process that gives the same model.
    """
    return shlex.join(["retina-train", "--data", folder_name(arguments.data), *deciding(arguments, options)])


def deciding(arguments: argparse.Namespace, options: TrainingOptions) -> list[str]:
    """Give the options, as words of a command, that decide the result and are not as they are by default."""
    words = []
    decided = vars(arguments) | {"accumulate": options.accumulate if options.accumulate > 1 else None}
    for action in build_parser()._actions:
        value = decided.get(action.dest, action.default)
        if value == action.default or action.dest in _OF_NO_CONSEQUENCE or action.const is not None:
            continue
        words.append(action.option_strings[0])
        if isinstance(value, tuple):
            words.append(",".join(map(str, value)))
        elif action.nargs != 0:
            words.append(str(value))
    return words
