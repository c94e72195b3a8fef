import json

import cv2
import numpy as np
import pytest
import torch
from small_checkpoint import small_generator, write_checkpoint
from small_dataset import write_dataset
from tiny_model import write_tiny_model

from retinagan.train.datasets import find_samples, load_labelled
from retinagan.train.evaluate_command import main


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
    assert f"maps in {maps}; 2 test images; threshold 0.5" in printed
    assert "all pixels  1.0000  1.0000  1.0000  1.0000  1.0000  1.0000" in printed
    stored = json.loads((out / "scores.json").read_text())
    assert (stored["split"], stored["images"], stored["threshold"]) == ("test", 2, 0.5)
    assert len(stored["rows"]) == 6
    assert (out / "scores.csv").is_file()


@pytest.mark.parametrize("kind", ["checkpoint", "onnx"])
def test_models_are_scored_at_their_own_threshold(data, tmp_path, capsys, kind):
    if kind == "onnx":
        source, threshold = write_tiny_model(tmp_path), "0.5"
    else:
        source, threshold = write_checkpoint(tmp_path / "a.pt", small_generator()), "0.4"
    assert main([str(source), "--data", str(data), "--split", "training", "--threads", "1"]) == 0
    printed = capsys.readouterr().out
    assert f"3 training images; threshold {threshold}" in printed


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
        (".", ["--threshold", "2"], "--threshold 2.0: expected 0 to 1"),
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
