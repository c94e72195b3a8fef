"""A training run in a folder: write checkpoints, stop at a signal, resume where it stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from retinagan.runtime.console.signals import StopSignal
from retinagan.train.loop.journal import Journal
from retinagan.train.loop.trainer import Trainer
from retinagan.train.loop.validation import Validation
from retinagan.train.nets.checkpoint import load_checkpoint

CHECKPOINT = "checkpoint.pt"
"""Name of the checkpoint in the folder of a run."""
FINAL = "model"
"""Name of the model that a finished run releases."""


@dataclass(frozen=True)
class Saving:
    """What a run saves, and when.

    Attributes
    ----------
    folder : Path
        Existing folder that receives `checkpoint.pt`.
    minutes : float
        Time between checkpoints.
    snapshots : int
        Iterations between two models kept as `iteration-N.pt`; 0 keeps none.
    """

    folder: Path
    minutes: float
    snapshots: int = 0


def snapshot_name(iteration: int) -> str:
    """Return the file name of the model that a run keeps of an iteration."""
    return f"iteration-{iteration}.pt"


def resume(trainer: Trainer, folder: Path) -> bool:
    """Load the folder's checkpoint into the trainer, if there is one.

    Raises
    ------
    ModelError, TrainingError
        If the checkpoint cannot be read, or belongs to a run with other options.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return False
    trainer.load(load_checkpoint(path))
    return True


def _any_stopped(trainer: Trainer, stop: StopSignal) -> bool:
    """Return whether any process received a signal; all processes then stop at this iteration."""
    stop.number = trainer.workers.largest(stop.number or 0, trainer.device) or None
    return stop.number is not None


def follow(trainer: Trainer, stop: StopSignal) -> None:
    """Train in a process that writes no files, in step with `run` in the first process."""
    while not trainer.finished and not _any_stopped(trainer, stop):
        trainer.step()


def run(
    trainer: Trainer,
    journal: Journal,
    release: Callable[[str], None],
    saving: Saving,
    stop: StopSignal,
    validation: Validation | None = None,
) -> None:
    """Train until finished or stopped; write a checkpoint at intervals and at the end.

    Parameters
    ----------
    trainer : Trainer
        Fresh, or resumed.
    journal : Journal
        Receives the figures of each iteration.
    release : callable
        Called with the name of a stage when another follows it, and with "model" at the end.
    saving : Saving
        Where to, and how often.
    stop : StopSignal
        Checked after each iteration, in all processes that train together.
    validation : Validation, optional
        Scores the averaged weights when it is due.
    """
    saved = time.monotonic()
    while not trainer.finished and not _any_stopped(trainer, stop):
        stage = trainer.stage
        journal.add(stage, trainer.step())
        if validation is not None and validation.is_due(trainer.iteration, trainer.finished):
            journal.add_validation(validation.scores(trainer.average.net))
        if saving.snapshots and trainer.iteration % saving.snapshots == 0:
            trainer.checkpoint().released().save(saving.folder / snapshot_name(trainer.iteration))
        stage_ends = not trainer.finished and trainer.stage != stage
        if stage_ends or time.monotonic() - saved >= saving.minutes * 60.0:
            save(trainer, saving.folder, journal)
            saved = time.monotonic()
        if stage_ends:
            release(stage)
    save(trainer, saving.folder, journal)
    if trainer.finished:
        release(FINAL)


def save(trainer: Trainer, folder: Path, journal: Journal) -> None:
    """Write the checkpoint of the run and the log so far."""
    journal.flush()
    trainer.checkpoint().save(folder / CHECKPOINT)
