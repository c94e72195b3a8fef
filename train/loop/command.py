"""What `retina-train` does."""

from __future__ import annotations

import argparse
import json
import os
import sys
from contextlib import closing
from pathlib import Path

import torch

from retinagan.runtime.atomic import written_atomically
from retinagan.runtime.console.command import DONE
from retinagan.runtime.console.signals import StopSignal, exit_code, signals_noted
from retinagan.runtime.console.wording import counted
from retinagan.runtime.errors import ModelError, OptionError
from retinagan.train.data.files import print_notes
from retinagan.train.data.given import Given
from retinagan.train.loop.arguments import jitter_workers, options_of
from retinagan.train.loop.board import Board
from retinagan.train.loop.devices import choose_device
from retinagan.train.loop.journal import Journal
from retinagan.train.loop.learning import TrainingData, find_sources
from retinagan.train.loop.options import TrainingOptions
from retinagan.train.loop.recorded_command import command_of
from retinagan.train.loop.release import with_threshold
from retinagan.train.loop.run import CHECKPOINT, FINAL, Saving, follow, resume, run
from retinagan.train.loop.trainer import Trainer
from retinagan.train.loop.validation import Validation
from retinagan.train.loop.workers import Workers, joined, torchrun_workers
from retinagan.train.nets.generator import parameter_count
from retinagan.train.scores.prediction import use_threads


def train(arguments: argparse.Namespace) -> int:
    """Run a training from parsed arguments; the exit code is 128 + the signal's number after one."""
    workers = torchrun_workers()
    device = choose_device(arguments.device, workers.local_rank)
    options = options_of(arguments, device, workers.count)
    folder = Path(arguments.out)
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"--out {folder}: expected a folder; there is a file of this name")
    folder.mkdir(parents=True, exist_ok=True)
    use_threads(arguments.threads or max((os.cpu_count() or 1) // workers.local_count, 1))
    data = _training_data(arguments, options, workers)
    images = data.images(options.preprocessing)
    trainer = Trainer(images, options, device, workers, jitter_workers(arguments, workers.local_count))
    resume(trainer, folder)
    validation = None
    if data.held_out and workers.first:
        preprocessing, every = options.preprocessing, arguments.validation_every
        validation = Validation(data.held_out, preprocessing, trainer.network_input, every)
    with closing(trainer), joined(workers, device), signals_noted() as stop:
        workers.refuse_disagreement("iteration to go on from", trainer.iteration, device)
        if workers.first:
            _lead(arguments, trainer, data, validation, folder, stop)
        else:
            follow(trainer, stop)
    return exit_code(stop.number) if stop.number is not None and not trainer.finished else DONE


def _lead(
    arguments: argparse.Namespace,
    trainer: Trainer,
    data: TrainingData,
    validation: Validation | None,
    folder: Path,
    stop: StopSignal,
) -> None:
    """Train as the process that writes the files of the run and prints its progress."""
    options = trainer.options
    with written_atomically(folder / "options.json") as temporary:
        temporary.write_text(json.dumps(options.to_plain(), indent=2) + "\n", encoding="utf-8")
    board = Board(folder, trainer.iteration) if arguments.tensorboard else None
    journal = Journal(folder, options.iterations, trainer.iteration, sys.stdout, board=board)

    def release(name: str) -> None:
        try:
            released, line = with_threshold(trainer.checkpoint(), data)
        except ModelError as error:
            if name == FINAL:
                raise
            journal.say(f"{folder / f'{name}.pt'}: {error}")
            return
        released.save(folder / f"{name}.pt")
        journal.say(f"{folder / f'{name}.pt'}: {line}")

    journal.say(
        f"{options.model}, {parameter_count(trainer.generator):,} parameters, "
        f"{counted(data.count, 'image')}, {len(data.held_out)} held out, "
        f"{_where(trainer.device, options.precision, trainer.workers)}"
    )
    if trainer.iteration:
        journal.say(f"resuming at iteration {trainer.iteration} of {options.iterations}")
    try:
        saving = Saving(folder, arguments.checkpoint_minutes, arguments.snapshots)
        run(trainer, journal, release, saving, stop, validation)
    finally:
        journal.close()
    if stop.number is not None and not trainer.finished:
        place = folder / CHECKPOINT
        journal.say(f"stopped at iteration {trainer.iteration}; the same command resumes from {place}")


def _where(device: torch.device, precision: str, workers: Workers) -> str:
    where = (
        counted(torch.get_num_threads(), "thread")
        if device.type == "cpu"
        else torch.cuda.get_device_name(device)
    )
    processes = f", {workers.count} processes" if workers.count > 1 else ""
    return f"{where}, {precision}{processes}"


def _training_data(arguments: argparse.Namespace, options: TrainingOptions, workers: Workers) -> TrainingData:
    given = Given(arguments.field_of_view, arguments.test_images, arguments.terms, arguments.citation)
    sources = find_sources(arguments.data, arguments.split, options.validation, given, options.experts)
    if workers.first:
        for source in sources:
            print_notes("retina-train", source.dataset)
    return TrainingData(sources, command_of(arguments, options), options.experts)
