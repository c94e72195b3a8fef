"""The commands of docs/training.md, from a folder of images to a model on a device, in their order."""

import csv
import os
import re
import shlex
import shutil
import signal
from pathlib import Path

import cv2
import pytest
import torch
from other_layouts import as_plain
from small_dataset import write_dataset

from retinagan.export.cli import main as retina_export
from retinagan.runtime.batch.cli import main as retina_run
from retinagan.train.commands import main_evaluate as retina_eval
from retinagan.train.commands import main_train as retina_train
from retinagan.train.loop.trainer import Trainer
from retinagan.train.nets.checkpoint import load_checkpoint

PAGE = Path(__file__).parents[2] / "docs" / "training.md"
TINY = ["--iterations", "2", "--batch", "2", "--patch", "32", "--threads", "1", "--device", "cpu"]

pytestmark = pytest.mark.usefixtures("short_pack")


@pytest.fixture
def commands():
    """The page's commands as lists of words."""
    section = PAGE.read_text(encoding="utf-8").split("## Your own images")[1].split("\n## ")[0]
    section = section.replace("\\\n", "")  # a command may go on in the next line
    return [shlex.split(line) for line in re.findall(r"^    (retina-.*)$", section, re.MULTILINE)]


@pytest.fixture(autouse=True)
def same_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with ten images of one's own in `mine`, and new ones in `scans`."""
    as_plain(write_dataset(tmp_path / "drawn", training=8, test=2), tmp_path / "mine")
    (tmp_path / "scans").mkdir()
    shutil.copy(tmp_path / "mine" / "images" / "a1.png", tmp_path / "scans" / "new.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stopping(monkeypatch):
    """Have the next training told to stop after its first step."""
    original = Trainer.step

    def step_then_signal(trainer):
        losses = original(trainer)
        os.kill(os.getpid(), signal.SIGTERM)
        return losses

    monkeypatch.setattr(Trainer, "step", step_then_signal)


def test_each_command_of_the_walk_through_works(commands, place, monkeypatch, capsys):
    train, again, tune, evaluate, export, segment = commands
    assert [words[0] for words in commands] == [
        *["retina-train"] * 3,
        "retina-eval",
        "retina-export",
        "retina-run",
    ]
    assert again == train
    small = [*TINY, "--widths", "4,8"]
    with monkeypatch.context() as patch:
        stopping(patch)
        assert retina_train([*train[1:], *small]) == 143
    assert retina_train([*again[1:], *small]) == 0
    assert "resuming at iteration 1 of 2" in capsys.readouterr().out
    assert (place / "runs/mine/validation.csv").is_file()

    assert retina_train([*tune[1:], *TINY]) == 0
    assert load_checkpoint(place / "runs/tuned/model.pt").record["options"]["init"] == "retina-gan"

    assert retina_eval([*evaluate[1:], "--threads", "1"]) == 0
    assert "2 test images of mine\nscored: a8 to a9 (plain layout, test images" in capsys.readouterr().out
    assert (place / "scores/roc.png").is_file()

    assert retina_export(export[1:]) == 0
    assert retina_run([*segment[1:], "--engine", "onnxruntime", "--threads", "1"]) == 0
    assert cv2.imread(str(place / "maps/new_vessels.png")) is not None
    with (place / "maps/run.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 1
