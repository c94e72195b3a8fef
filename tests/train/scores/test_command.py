import json
import shutil
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from small_checkpoint import small_generator, write_checkpoint
from small_dataset import write_dataset
from tiny_model import write_tiny_model

from retinagan.train.data.files import find_samples
from retinagan.train.data.images import load_labelled
from retinagan.train.nets.checkpoint import load_checkpoint
from retinagan.train.scores.command import main
from retinagan.train.scores.evaluation import REGIONS


@pytest.fixture
def data(tmp_path):
    return write_dataset(tmp_path / "drawn")


@pytest.fixture(autouse=True)
def same_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_perfect_maps_score_one(data, tmp_path, capsys):
    maps, out = tmp_path / "maps", tmp_path / "out"
    maps.mkdir()
    for sample in find_samples(data, "test"):
        truth = load_labelled(sample).truth
        cv2.imwrite(str(maps / f"{sample.name}_probability.png"), truth * np.uint16(65535))
    assert main([str(maps), "--data", str(data), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert f"maps in {maps}; 2 test images of {data}\n" in printed
    assert "scored: 24_test to 25_test (DRIVE layout, folder test)\nthreshold 0.5: the default" in printed
    inside, whole = (line for line in printed.splitlines() if line.startswith("model") and "native" in line)
    assert inside.split()[-7:] == whole.split()[-7:] == ["1.0000"] * 7
    stored = json.loads((out / "scores.json").read_text())
    assert (stored["split"], stored["images"], stored["threshold"]) == ("test", 2, 0.5)
    assert stored["data"] == "drawn", "not where it lies on this machine"
    assert len(stored["rows"]) == 9
    assert sorted(path.name for path in out.iterdir()) == ["scores.csv", "scores.json"]


def test_another_model_is_compared_on_the_same_images(data, tmp_path, capsys):
    source, other = (write_checkpoint(tmp_path / f"{name}.pt", small_generator()) for name in "ab")
    command = ["--data", str(data), "--out", str(tmp_path), "--against"]
    assert main([str(source), *command, str(other)]) == 0
    lines = capsys.readouterr().out.partition(f"\nabove {other}, torch")[2].splitlines()
    assert lines[1] == "threshold 0.4: the model's own, from its training images"
    inside, spread = (line.split() for line in lines[3:5])
    assert inside[-7:] == ["+0.0000"] * 7, "the same weights"
    assert spread[3:] == ["+0.0000", "to", "+0.0000"] * 7
    above = json.loads((tmp_path / "scores.json").read_text())["above"]
    assert (above["source"], above["threshold"]) == (str(other), 0.4)
    assert [one["region"] for one in above["differences"]] == list(REGIONS)
    assert above["differences"][0]["interval"]["auc"] == [0.0, 0.0]
    assert main([str(source), *command, "gone"]) == 2
    assert '"gone" is neither' in capsys.readouterr().err


def test_figures_are_drawn_when_asked_for(data, tmp_path, capsys):
    source, out = write_checkpoint(tmp_path / "a.pt", small_generator()), tmp_path / "out"
    assert main([str(source), "--data", str(data), "--out", str(out), "--figures"]) == 0
    written = ("roc.png", "images.png", "panels/24_test.png", "panels/25_test.png")
    assert all(cv2.imread(str(out / name)) is not None for name in written)
    assert "roc.png" in capsys.readouterr().out


def test_training_images_can_choose_the_threshold(data, tmp_path, capsys):
    maps = tmp_path / "maps"
    maps.mkdir()
    for split, vessel in (("training", 40), ("test", 60)):
        for sample in find_samples(data, split):
            truth = load_labelled(sample).truth
            cv2.imwrite(str(maps / f"{sample.name}.png"), np.where(truth, vessel, 20).astype(np.uint8))
    assert main([str(maps), "--data", str(data), "--threshold", "training"]) == 0
    printed = capsys.readouterr().out
    assert "the largest Dice inside the FOV on 3 training images" in printed
    chosen = float(printed.split("threshold ")[1].split(":")[0])
    assert 20 / 255 < chosen <= 40 / 255 + 1e-4


def test_a_dataset_without_halves_does_not_choose_its_own_threshold(data, tmp_path, capsys):
    source = write_checkpoint(tmp_path / "a.pt", small_generator())
    assert main([str(source), "--data", str(data / "test"), "--threshold", "training"]) == 2
    assert "images to score are training images of" in capsys.readouterr().err


def test_without_figures_matplotlib_is_not_imported(data, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "retinagan.train.scores.figures", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # whoever imports it fails
    source = write_checkpoint(tmp_path / "a.pt", small_generator())
    assert main([str(source), "--data", str(data), "--out", str(tmp_path / "out")]) == 0


def test_missing_matplotlib_is_said_before_the_work(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main([".", "--data", str(data), "--out", str(tmp_path / "out"), "--figures"]) == 2
    assert "--figures: matplotlib is not installed; type  pip install" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["checkpoint", "onnx"])
def test_models_are_scored_at_their_own_threshold(data, tmp_path, capsys, kind):
    if kind == "onnx":
        source, threshold = write_tiny_model(tmp_path), "0.5"
    else:
        source, threshold = write_checkpoint(tmp_path / "a.pt", small_generator()), "0.4"
    assert main([str(source), "--data", str(data), "--split", "training", "--threads", "1"]) == 0
    printed = capsys.readouterr().out
    assert f"3 training images of {data}\n" in printed
    assert f"\nthreshold {threshold}: the model's own" in printed


def test_images_that_trained_the_model_are_told(data, tmp_path, capsys):
    checkpoint = load_checkpoint(write_checkpoint(tmp_path / "a.pt", small_generator()))
    record = {"data": "drawn", "training_images": ["22_training"], "held_out_images": ["21_training"]}
    replace(checkpoint, record=record).save(tmp_path / "b.pt")
    told = "; 2 of these trained the model or chose its threshold"
    for split, expected in (("all", True), ("training", True), ("test", False)):
        assert main([str(tmp_path / "b.pt"), "--data", str(data), "--split", split]) == 0
        assert (told in capsys.readouterr().out) == expected
    shutil.copytree(data, tmp_path / "other")
    assert main([str(tmp_path / "b.pt"), "--data", str(tmp_path / "other"), "--split", "all"]) == 0
    printed = capsys.readouterr().out
    assert "; 5 images of" in printed
    assert told not in printed, "images of another dataset, whatever their names"


def test_files_that_do_not_fit_are_warned_of(data, tmp_path, capsys):
    (data / "test" / "mask" / "99_test_mask.png").write_bytes(b"")
    assert main([str(write_checkpoint(tmp_path / "a.pt", small_generator())), "--data", str(data)]) == 0
    error = capsys.readouterr().err
    assert error.startswith("retina-eval: warning: ")
    assert error.endswith("99_test_mask.png: no image of it; left out\n")


def test_each_image_and_another_threshold_are_options(data, tmp_path, capsys):
    source = write_checkpoint(tmp_path / "a.pt", small_generator())
    assert main([str(source), "--data", str(data), "--each", "--threshold", "0.1"]) == 0
    printed = capsys.readouterr().out
    assert "threshold 0.1" in printed
    assert "24_test" in printed


@pytest.mark.parametrize("kind", ["checkpoint", "onnx"])
def test_no_threads_at_all_is_one_line(data, tmp_path, capsys, kind):
    source = write_checkpoint(tmp_path / "a.pt", small_generator()) if kind == "checkpoint" else "retina-gan"
    assert main([str(source), "--data", str(data), "--threads", "0"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("retina-eval: ")
    assert "threads" in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("source", "more", "message"),
    [
        ("none.pt", [], "no such checkpoint"),
        (".", ["--threshold", "2"], "--threshold 2: expected 0 to 1, or the word training"),
        (".", ["--threshold", "half"], "--threshold half: expected 0 to 1, or the word training"),
        (".", ["--figures"], "--figures: where to? Name a folder with --out DIR"),
        (".", ["--data", "nowhere"], "nowhere is no folder"),
        (".", [], "no map of 24_test"),
    ],
)
def test_wrong_use_is_one_line(data, tmp_path, capsys, monkeypatch, source, more, message):
    monkeypatch.chdir(tmp_path)
    assert main([source, "--data", str(data), *more]) == 2
    error = capsys.readouterr().err
    assert error.startswith("retina-eval: ")
    assert message in error
    assert len(error.splitlines()) == 1
