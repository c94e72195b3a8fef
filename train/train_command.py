"""What `retina-train` does."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from pathlib import Path

import torch

from retinagan.runtime import __version__
from retinagan.runtime.atomic import written_atomically
from retinagan.runtime.errors import RetinaGanError
from retinagan.runtime.spec import Preprocessing
from retinagan.train.board import Board
from retinagan.train.datasets import load_training_images
from retinagan.train.devices import DEVICES, PRECISIONS, choose_device, choose_precision
from retinagan.train.generator import MODELS, parameter_count
from retinagan.train.journal import Journal
from retinagan.train.layouts import ALL, TRAINING, find_dataset, print_notes
from retinagan.train.options import StageOptions, TrainingOptions
from retinagan.train.prediction import use_threads
from retinagan.train.release import TrainingData, folder_name, with_threshold
from retinagan.train.run import CHECKPOINT, StopSignal, catching_signals, follow, resume, run
from retinagan.train.trainer import Trainer
from retinagan.train.validation import Validation
from retinagan.train.workers import Workers, joined, told_by_torchrun

EPILOG = """\
The run's folder receives model.pt at the end (patches.pt where the first stage ends), and on the way
checkpoint.pt, log.csv, options.json and, with --validation, validation.csv. Started again with the same
folder and options, a run that was interrupted goes on where it stopped, bit for bit. The paper's own schedule
is --iterations 0 --adversarial-iterations 4000. Several GPUs or machines train together under torchrun:
torchrun --nproc-per-node 2 -m retinagan.train.cli_train --data ... (docs/training.md).
"""

_STANDARD = TrainingOptions()
_NUMBERS: tuple[tuple[str, float, str, str], ...] = (
    ("--iterations", _STANDARD.patches.iterations, "N", "iterations on patches, with the pixel loss alone"),
    ("--adversarial-iterations", _STANDARD.adversarial.iterations, "N",
     "iterations against the discriminator after that, on regrouped images"),
    ("--batch", _STANDARD.batch, "N", "patches in a batch, over all processes"),
    ("--images", _STANDARD.images, "N", "whole images in a batch against the discriminator"),
    ("--patch", _STANDARD.patch, "PIXELS", "side of a patch"),
    ("--steps", _STANDARD.steps, "N", "feedback steps of a recurrent layer"),
    ("--layers", _STANDARD.layers, "N", "recurrent layers in a block"),
    ("--learning-rate", _STANDARD.patches.learning_rate, "RATE", "peak rate on patches"),
    ("--adversarial-learning-rate", _STANDARD.adversarial.learning_rate, "RATE",
     "the generator's peak rate against the discriminator"),
    ("--discriminator-learning-rate", _STANDARD.adversarial.discriminator_learning_rate, "RATE",
     "the discriminator's peak rate"),
    ("--pixel-weight", _STANDARD.patches.pixel_weight, "W", "weight of binary cross-entropy"),
    ("--dice-weight", _STANDARD.patches.dice_weight, "W", "weight of 1 - Dice"),
    ("--adversarial-weight", _STANDARD.adversarial.adversarial_weight, "W",
     "weight of the generator's adversarial loss"),
    ("--validation", _STANDARD.validation, "N",
     "training images held out; they are scored on the way, and choose the threshold"),
    ("--validation-every", 250, "N", "iterations between two scorings of the images held out"),
    ("--ema", _STANDARD.ema, "DECAY", "decay of the weights' running average, 0 for none"),
    ("--seed", _STANDARD.seed, "N", "of weights, batches and augmentation"),
    ("--checkpoint-minutes", 3.0, "M", "time between checkpoints"),
    ("--snapshots", 0, "N", "iterations between models that are kept as iteration-N.pt, 0 for none"),
)  # fmt: skip

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


def build_parser() -> argparse.ArgumentParser:
    """Build the command's parser."""
    parser = argparse.ArgumentParser(
        prog="retina-train", description="Train a vessel segmentation model.", epilog=EPILOG
    )
    add = parser.add_argument
    add("--data", required=True, metavar="DIR",
        help="dataset folder: DRIVE, CHASE_DB1, STARE, HRF, or images/ with labels/")  # fmt: skip
    add("--split", choices=(TRAINING, ALL), default=TRAINING,
        help="train on its training images, or on all (default: %(default)s)")  # fmt: skip
    add("--out", default="runs/retina-gan", metavar="DIR", help="the run's folder (default: %(default)s)")
    add("--model", choices=MODELS, default="retina-gan", help="system to train (default: %(default)s)")
    add("--preprocess", default="ace", metavar="METHOD", help="ace, clahe or none (default: %(default)s)")
    for flag, value, unit, text in _NUMBERS:
        add(flag, type=type(value), default=value, metavar=unit, help=f"{text} (default: %(default)s)")
    add("--widths", type=channels, default=_STANDARD.widths, metavar="N,N,...",
        help="channels of each scale of the generator (default: 16,32,64,128)")  # fmt: skip
    add(
        "--init",
        default="",
        metavar="MODEL",
        help="checkpoint to start from, a file or a bundled name (default: none)",
    )
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

    Raises
    ------
    ValueError
        As `TrainingOptions` does.
    """
    parts = processes if arguments.accumulate is None else arguments.accumulate
    weights = {"pixel_weight": arguments.pixel_weight, "dice_weight": arguments.dice_weight}
    return TrainingOptions(
        model=arguments.model,
        widths=arguments.widths,
        steps=arguments.steps,
        layers=arguments.layers,
        preprocessing=Preprocessing(method=arguments.preprocess),
        patches=StageOptions(arguments.iterations, arguments.learning_rate, **weights),
        adversarial=StageOptions(
            arguments.adversarial_iterations,
            arguments.adversarial_learning_rate,
            arguments.discriminator_learning_rate,
            adversarial_weight=arguments.adversarial_weight,
            **weights,
        ),
        patch=arguments.patch,
        batch=arguments.batch,
        images=arguments.images,
        validation=arguments.validation,
        ema=arguments.ema,
        precision=choose_precision(arguments.precision, device or torch.device("cpu")),
        accumulate=parts,
        seed=arguments.seed,
        init=arguments.init,
    )


def channels(text: str) -> tuple[int, ...]:
    """Read "16,32,64" (the name of this function stands in argparse's error)."""
    return tuple(int(part) for part in text.split(","))


def train(arguments: argparse.Namespace) -> int:
    """Run a training from parsed arguments; the exit code is 128 + the signal's number after one."""
    workers = told_by_torchrun()
    device = choose_device(arguments.device, workers.local_rank)
    options = options_of(arguments, device, workers.count)
    folder = Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    use_threads(arguments.threads or max((os.cpu_count() or 1) // workers.local_count, 1))
    data = _training_data(arguments, options, workers)
    images = load_training_images(data.kept, options.preprocessing.working_size)
    trainer = Trainer(images, options, device, workers)
    resume(trainer, folder)
    validation = None
    if data.held_out and workers.first:
        preprocessing, every = options.preprocessing, arguments.validation_every
        validation = Validation(data.held_out, preprocessing, trainer.network_input, every)
    with joined(workers, device), catching_signals() as stop:
        workers.refuse_disagreement("iteration to go on from", trainer.iteration, device)
        if workers.first:
            _lead(arguments, trainer, data, validation, folder, stop)
        else:
            follow(trainer, stop)
    stopped = stop.number is not None and not trainer.finished
    return 128 + (stop.number or 0) if stopped else 0


def _lead(
    arguments: argparse.Namespace,
    trainer: Trainer,
    data: TrainingData,
    validation: Validation | None,
    folder: Path,
    stop: StopSignal,
) -> None:
    """Train as the process that writes the run's files and says how it goes."""
    options = trainer.options
    with written_atomically(folder / "options.json") as temporary:
        temporary.write_text(json.dumps(options.to_plain(), indent=2) + "\n", encoding="utf-8")
    board = Board(folder, trainer.iteration) if arguments.tensorboard else None
    journal = Journal(folder, options.iterations, trainer.iteration, sys.stdout, board=board)

    def release(name: str) -> None:
        released, line = with_threshold(trainer.checkpoint(), data)
        released.save(folder / f"{name}.pt")
        journal.say(f"{folder / f'{name}.pt'}: {line}")

    journal.say(
        f"{options.model}, {parameter_count(trainer.generator):,} parameters, {len(data.kept)} images, "
        f"{len(data.held_out)} held out, {_where(trainer.device, options.precision, trainer.workers)}"
    )
    if trainer.iteration:
        journal.say(f"going on at iteration {trainer.iteration} of {options.iterations}")
    try:
        run(
            trainer,
            journal,
            release,
            folder=folder,
            minutes=arguments.checkpoint_minutes,
            stop=stop,
            snapshots=arguments.snapshots,
            validation=validation,
        )
    finally:
        journal.close()
    if stop.number is not None and not trainer.finished:
        place = folder / CHECKPOINT
        journal.say(f"stopped at iteration {trainer.iteration}; the same command goes on from {place}")


def _where(device: torch.device, precision: str, workers: Workers) -> str:
    where = (
        f"{torch.get_num_threads()} threads" if device.type == "cpu" else torch.cuda.get_device_name(device)
    )
    processes = f", {workers.count} processes" if workers.count > 1 else ""
    return f"{where}, {precision}{processes}"


def _training_data(arguments: argparse.Namespace, options: TrainingOptions, workers: Workers) -> TrainingData:
    held_out = options.validation
    dataset = find_dataset(arguments.data, arguments.split)
    samples = dataset.samples
    if workers.first:
        print_notes("retina-train", dataset)
    if not 0 <= held_out < len(samples):
        raise ValueError(
            f"--validation {held_out}: expected 0 to {len(samples) - 1}, for {len(samples)} images"
        )
    kept, held = samples[held_out:], samples[:held_out]
    command = command_of(arguments, options)
    return TrainingData(folder_name(arguments.data), kept, held, arguments.terms, command)


def command_of(arguments: argparse.Namespace, options: TrainingOptions) -> str:
    """Give the command with all that decides the result, and nothing that only this machine knows.

    Where several processes shared the batches it is the command of one process that gives the same model.
    """
    words = ["retina-train", "--data", folder_name(arguments.data)]
    decided = vars(arguments) | {"accumulate": options.accumulate if options.accumulate > 1 else None}
    for action in build_parser()._actions:
        value = decided.get(action.dest, action.default)
        if value == action.default or action.dest in _OF_NO_CONSEQUENCE or action.const is not None:
            continue
        words.append(action.option_strings[0])
        if action.dest == "widths":
            words.append(",".join(map(str, value)))
        elif action.nargs != 0:
            words.append(str(value))
    return shlex.join(words)


def main(argv: list[str] | None = None) -> int:
    """Run `retina-train`.

    Returns
    -------
    int
        The exit code: 0 done, 2 wrong use or data, 130 or 143 stopped by a signal.
    """
    arguments = build_parser().parse_args(argv)
    try:
        return train(arguments)
    except (RetinaGanError, ValueError, OSError) as error:
        print(f"retina-train: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("retina-train: interrupted before it could save; the last checkpoint stands", file=sys.stderr)
        return 130
