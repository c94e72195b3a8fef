"""The `retina-train` command."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import torch
from retinagan.runtime import __version__
from retinagan.runtime.errors import RetinaGanError
from retinagan.runtime.spec import Preprocessing
from retinagan.train.datasets import find_samples, load_training_images
from retinagan.train.generator import MODELS, parameter_count
from retinagan.train.journal import Journal
from retinagan.train.options import StageOptions, TrainingOptions
from retinagan.train.run import CHECKPOINT, catching_signals, resume, run
from retinagan.train.trainer import Trainer

EPILOG = """\
The run's folder receives checkpoint.pt, log.csv and options.json. Started again with the same folder and options,
a run that was interrupted goes on where it stopped, bit for bit. The paper's own schedule is
--iterations 0 --adversarial-iterations 4000.
"""


def build_parser() -> argparse.ArgumentParser:
    """Build the command's parser."""
    standard = TrainingOptions()
    parser = argparse.ArgumentParser(
        prog="retina-train", description="Train a vessel segmentation model.", epilog=EPILOG
    )
    add = parser.add_argument
    add("--data", required=True, metavar="DIR", help="dataset folder: DRIVE, or one with images/ and labels/")
    add("--out", default="runs/retina-gan", metavar="DIR", help="the run's folder (default: %(default)s)")
    add("--model", choices=MODELS, default=standard.model, help="system to train (default: %(default)s)")
    add(
        "--preprocess",
        default="ace",
        metavar="METHOD",
        help="equalization: ace or none (default: %(default)s)",
    )
    add(
        "--iterations",
        type=int,
        default=standard.patches.iterations,
        metavar="N",
        help="iterations on patches with the pixel loss alone (default: %(default)s)",
    )
    add(
        "--adversarial-iterations",
        type=int,
        default=0,
        metavar="N",
        help="iterations against the discriminator on regrouped images after that (default: %(default)s)",
    )
    add(
        "--batch",
        type=int,
        default=standard.batch,
        metavar="N",
        help="patches in a batch (default: %(default)s)",
    )
    add(
        "--patch",
        type=int,
        default=standard.patch,
        metavar="PIXELS",
        help="side of a patch (default: %(default)s)",
    )
    add(
        "--learning-rate",
        type=float,
        default=standard.patches.learning_rate,
        metavar="RATE",
        help="peak rate on patches (default: %(default)s)",
    )
    add(
        "--adversarial-learning-rate",
        type=float,
        default=standard.adversarial.learning_rate,
        metavar="RATE",
        help="the generator's peak rate against the discriminator (default: %(default)s)",
    )
    add(
        "--discriminator-learning-rate",
        type=float,
        default=standard.adversarial.discriminator_learning_rate,
        metavar="RATE",
        help="the discriminator's peak rate (default: %(default)s)",
    )
    add("--pixel-weight", type=float, default=1.0, metavar="W", help="weight of BCE (default: %(default)s)")
    add(
        "--dice-weight",
        type=float,
        default=0.0,
        metavar="W",
        help="weight of 1 - Dice (default: %(default)s)",
    )
    add(
        "--adversarial-weight",
        type=float,
        default=standard.adversarial.adversarial_weight,
        metavar="W",
        help="weight of the generator's adversarial loss (default: %(default)s)",
    )
    add(
        "--validation",
        type=int,
        default=0,
        metavar="N",
        help="training images held out (default: %(default)s)",
    )
    add(
        "--ema",
        type=float,
        default=standard.ema,
        metavar="DECAY",
        help="decay of the weights' running average, 0 for none (default: %(default)s)",
    )
    add("--seed", type=int, default=0, help="of weights, batches and augmentation (default: %(default)s)")
    add("--threads", type=int, default=0, metavar="N", help="CPU threads (default: all)")
    add("--no-autocast", action="store_true", help="compute in float32 instead of bfloat16")
    add(
        "--checkpoint-minutes",
        type=float,
        default=3.0,
        metavar="M",
        help="time between checkpoints (default: %(default)s)",
    )
    add("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def options_of(arguments: argparse.Namespace) -> TrainingOptions:
    """Training options from parsed arguments; raises ValueError as `TrainingOptions` does."""
    weights = {"pixel_weight": arguments.pixel_weight, "dice_weight": arguments.dice_weight}
    return TrainingOptions(
        model=arguments.model,
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
        validation=arguments.validation,
        ema=arguments.ema,
        autocast=not arguments.no_autocast,
        seed=arguments.seed,
    )


def train(arguments: argparse.Namespace) -> int:
    """Run a training from parsed arguments; the exit code is 128 + the signal's number after one."""
    options = options_of(arguments)
    folder = Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(arguments.threads or os.cpu_count() or 1)

    samples = find_samples(arguments.data, "training")
    if options.validation >= len(samples):
        raise ValueError(
            f"--validation {options.validation} of {len(samples)} images leaves none to train on"
        )
    held_out, kept = samples[: options.validation], samples[options.validation :]
    trainer = Trainer(load_training_images(kept, options.preprocessing.working_size), options)
    resumed = resume(trainer, folder)
    (folder / "options.json").write_text(json.dumps(options.to_plain(), indent=2) + "\n", encoding="utf-8")

    journal = Journal(folder, options.iterations, trainer.iteration, sys.stdout)
    try:
        journal.say(
            f"{options.model}, {parameter_count(trainer.generator):,} parameters, {len(kept)} images, "
            f"{len(held_out)} held out, {torch.get_num_threads()} threads"
        )
        if resumed:
            journal.say(f"going on at iteration {trainer.iteration} of {options.iterations}")
        with catching_signals() as stop:
            run(trainer, folder, journal, arguments.checkpoint_minutes, stop)
    finally:
        journal.close()
    if stop.number is not None and not trainer.finished:
        print(
            f"stopped at iteration {trainer.iteration}; the same command goes on from {folder / CHECKPOINT}"
        )
        return 128 + stop.number
    print(f"done: {folder / CHECKPOINT}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run `retina-train`; returns the exit code: 0 done, 2 wrong use or data, 130 or 143 stopped by a signal."""
    arguments = build_parser().parse_args(argv)
    try:
        return train(arguments)
    except (RetinaGanError, ValueError, OSError) as error:
        print(f"retina-train: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
