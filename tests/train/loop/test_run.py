import io
import os
import signal

import pytest
from small_dataset import small_options, training_images

from retinagan.runtime.console.signals import StopSignal, signals_noted
from retinagan.train.loop.journal import Journal
from retinagan.train.loop.run import CHECKPOINT, Saving, resume, run
from retinagan.train.loop.trainer import Trainer
from retinagan.train.nets.checkpoint import load_checkpoint


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return training_images(tmp_path_factory.mktemp("data"))


def go(trainer, folder, stop=None, minutes=1e9, release=lambda name: None):
    journal = Journal(folder, trainer.options.iterations, trainer.iteration, io.StringIO())
    run(trainer, journal, release, Saving(folder, minutes), stop or StopSignal())
    journal.close()


def test_a_run_ends_with_its_checkpoint(images, tmp_path):
    go(Trainer(images, small_options(2)), tmp_path)
    assert load_checkpoint(tmp_path / CHECKPOINT).resume["iteration"] == 2


def test_what_can_be_used_is_released_at_each_stage_end(images, tmp_path):
    names = []
    go(Trainer(images, small_options(2, 1)), tmp_path, release=names.append)
    assert names == ["patches", "model"]


def test_checkpoints_come_in_time(images, tmp_path, monkeypatch):
    from retinagan.train.loop import run as module

    saved = []
    monkeypatch.setattr(module, "save", lambda trainer, *rest: saved.append(trainer.iteration))
    go(Trainer(images, small_options(3)), tmp_path, minutes=0.0)
    assert saved == [1, 2, 3, 3]


def test_models_on_the_way_are_kept_if_asked_for(images, tmp_path):
    trainer = Trainer(images, small_options(4))
    journal = Journal(tmp_path, 4, 0, io.StringIO())
    run(trainer, journal, lambda name: None, Saving(tmp_path, 1e9, snapshots=2), StopSignal())
    journal.close()
    kept = [load_checkpoint(tmp_path / f"iteration-{number}.pt") for number in (2, 4)]
    assert [model.record["iterations"] for model in kept] == [2, 4]
    assert kept[0].resume is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_saves_and_the_run_goes_on_later(images, tmp_path, number):
    trainer = Trainer(images, small_options(6))
    original = trainer.step

    def step_then_signal():
        losses = original()
        if trainer.iteration == 3:
            os.kill(os.getpid(), number)
        return losses

    trainer.step = step_then_signal
    with signals_noted() as stop:
        go(trainer, tmp_path, stop, release=lambda name: pytest.fail("an unfinished run releases nothing"))
    assert stop.number == number
    later = Trainer(images, small_options(6))
    assert resume(later, tmp_path)
    assert later.iteration == 3
    go(later, tmp_path)
    assert later.finished


def test_an_empty_folder_has_nothing_to_resume(images, tmp_path):
    assert not resume(Trainer(images, small_options(2)), tmp_path)
