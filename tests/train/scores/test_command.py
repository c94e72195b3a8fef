import csv
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
from tiny_model import tiny_spec, write_tiny_model

from retinagan.runtime.model.parameters import MapThreshold, Preprocessing, Tiling
from retinagan.train.commands import main_evaluate as main
from retinagan.train.data.files import find_samples
from retinagan.train.data.images import load_labelled
from retinagan.train.nets.checkpoint import load_checkpoint
from retinagan.train.scores import command
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


@pytest.fixture
def scaled_model(tmp_path):
    """A model of 2 pixels a degree, which assumes 45 degrees."""
    (tmp_path / "scaled").mkdir()
    preprocessing = Preprocessing("none", 5.0, pixels_per_degree=2.0)
    return write_tiny_model(tmp_path / "scaled", tiny_spec(preprocessing=preprocessing, tiling=Tiling(None)))


@pytest.fixture
def wide(data, tmp_path):
    """The same images, said to be of a camera of 60 degrees."""
    shutil.copytree(data, tmp_path / "wide")
    (tmp_path / "wide" / "dataset.json").write_text(json.dumps({"field_of_view": 60}))
    return tmp_path / "wide"


def test_several_datasets_give_one_table(data, wide, scaled_model, tmp_path, capsys):
    out = tmp_path / "out"
    command = [str(scaled_model), "--data", str(data), str(wide), "--field-of-view", "both", "--threads", "1"]
    assert main([*command, "--out", str(out), "--figures"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("; inside the FOV at native size, all pixels of a dataset")
    assert lines[1].startswith(
        "drawn: 2 images, 24_test to 25_test (DRIVE layout, folder test); threshold 0.5: "
    )
    table = [line.split() for line in lines if "degrees" in line]
    assert [row[:3] for row in table] == [
        ["drawn", "45", "degrees,"],
        ["drawn", "45", "degrees,"],
        ["wide", "60", "degrees,"],
        ["wide", "45", "degrees,"],
    ]
    assert [row[3] for row in table] == ["known", "assumed"] * 2
    assert table[0][4:] == table[1][4:] == table[3][4:]
    stored = json.loads((out / "scores.json").read_text())
    assert [one["angle"] for one in stored["datasets"]] == [
        "45 degrees, known of the dataset",
        "45 degrees, assumed by the model",
        "60 degrees, known of the dataset",
        "45 degrees, assumed by the model",
    ]
    assert all(len(one["rows"]) == 9 for one in stored["datasets"])
    with (out / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["data"] for row in rows] == ["drawn"] * 18 + ["wide"] * 18
    assert (out / "wide" / "known" / "panels" / "24_test.png").is_file()
    assert (out / "drawn" / "assumed" / "roc.png").is_file()


def test_a_lower_density_is_told_and_compared_with_the_models_own(data, scaled_model, capsys):
    command = [str(scaled_model), "--data", str(data), "--threads", "1", "--engine", "onnxruntime"]
    assert main([*command, "--pixels-per-degree", "1", "--against", str(scaled_model)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{scaled_model}, ONNX Runtime ")
    assert ", 1 pixels per degree; 2 test images" in printed
    assert "differences to" in printed
    assert main([*command, "--pixels-per-degree", "9"]) == 2
    assert capsys.readouterr().err.startswith("retina-eval: pixels per degree: got 9; expected 0.6 to 3, aro")


def test_angle_and_test_images_of_a_folder_can_be_stated(scaled_model, tmp_path, capsys):
    plain = tmp_path / "plain"
    drawn = write_dataset(tmp_path / "drawn", training=3, test=1) / "training"
    for source, name in (("images", "images"), ("1st_manual", "labels")):
        (plain / name).mkdir(parents=True)
        for file in sorted((drawn / source).iterdir()):
            shutil.copy(file, plain / name / f"{file.name[:2]}.png")
    command = [str(scaled_model), "--data", str(plain), "--threads", "1", "--test-images", "plain=2[13]"]
    assert main([*command, "--field-of-view", "both", "--field-of-view", "plain=60"]) == 0
    printed = capsys.readouterr().out
    assert "2 images, 21 to 23 (plain layout, test images: 2[13] test)" in printed
    angles = [line.split()[1:4] for line in printed.splitlines() if "degrees," in line]
    assert angles == [["60", "degrees,", "known"], ["45", "degrees,", "assumed"]]
    assert main([*command, "--field-of-view", "both"]) == 0, "no angle is known: one row"
    assert "field of view: 45 degrees, assumed by the model" in capsys.readouterr().out
    assert main([*command, "--threshold", "training"]) == 0
    assert "1 training image" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("angle", "error"),
    [
        ("wide", "got 'wide', expected known, assumed, both, or the angle of a dataset folder, NAME=DEGREES"),
        ("other=60", "--field-of-view other=...: no folder of --data has this name; its folders: drawn"),
    ],
)
def test_an_angle_that_fits_no_dataset_is_an_error(angle, error, data, scaled_model, capsys):
    assert main([str(scaled_model), "--data", str(data), "--field-of-view", angle]) == 2
    assert error in " ".join(capsys.readouterr().err.split())


def test_a_model_of_one_size_is_scored_once_whatever_the_angle(data, wide, tmp_path, capsys):
    source = write_checkpoint(tmp_path / "a.pt", small_generator())
    assert main([str(source), "--data", str(data), str(wide), "--field-of-view", "both"]) == 0
    table = [line for line in capsys.readouterr().out.splitlines() if "one working size" in line]
    assert [line.split()[0] for line in table] == ["drawn", "wide"]


def test_several_datasets_are_compared_one_by_one(data, wide, scaled_model, capsys):
    command = [str(scaled_model), "--data", str(data), str(wide), "--against", str(scaled_model), "--each"]
    assert main([*command, "--threads", "1"]) == 0
    printed = capsys.readouterr().out
    each, _, compared = printed.partition("\ndifferences to ")
    assert "\ndrawn, 45 degrees, known\n" in each
    assert "drawn, 45 degrees, known\n" in compared
    assert "wide, 60 degrees, known\n" in compared
    assert compared.count("+0.0000  ") >= 12
    assert "24_test" in printed


def test_the_angle_is_said_of_one_dataset_too(wide, scaled_model, capsys):
    for asked, told in (("known", "60 degrees, known of the dataset"), ("assumed", "45 degrees, assumed by")):
        assert main([str(scaled_model), "--data", str(wide), "--field-of-view", asked]) == 0
        assert f"\nfield of view: {told}" in capsys.readouterr().out


def test_two_folders_of_one_name_are_refused(data, tmp_path, capsys):
    shutil.copytree(data, tmp_path / "other" / "drawn")
    folders = [str(data), str(tmp_path / "other" / "drawn")]
    assert main(["retina-gan", "--data", *folders]) == 2
    assert (
        f"--data {' '.join(folders)}: two folders have one name; expected different"
        in capsys.readouterr().err
    )


def test_another_model_is_compared_on_the_same_images(data, tmp_path, capsys):
    source, other = (write_checkpoint(tmp_path / f"{name}.pt", small_generator()) for name in "ab")
    command = ["--data", str(data), "--out", str(tmp_path), "--against"]
    assert main([str(source), *command, str(other)]) == 0
    lines = capsys.readouterr().out.partition(f"\ndifferences to {other}, torch")[2].splitlines()
    assert lines[1] == "threshold 0.4: the model's own"
    inside, spread = (line.split() for line in lines[3:5])
    assert inside[-7:] == ["+0.0000"] * 7, "the same weights"
    assert spread[3:] == ["+0.0000", "to", "+0.0000"] * 7
    above = json.loads((tmp_path / "scores.json").read_text())["against"]
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
            ramp = np.arange(truth.shape[1]) % 20  # many values: a probability, not a drawing
            values = np.where(truth, vessel + ramp, ramp).astype(np.uint8)
            cv2.imwrite(str(maps / f"{sample.name}.png"), values)
    assert main([str(maps), "--data", str(data), "--threshold", "training"]) == 0
    printed = capsys.readouterr().out
    assert "the largest Dice inside the FOV on 3 training images" in printed
    chosen = float(printed.split("threshold ")[1].split(":")[0])
    assert 19 / 255 < chosen <= 40 / 255 + 1e-4


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


def test_a_defect_keeps_its_traceback(data, tmp_path, capsys, monkeypatch):
    def broken(*_):
        raise ValueError("of torch or numpy")

    monkeypatch.setattr(command, "evaluate_dataset", broken)
    source = write_checkpoint(tmp_path / "a.pt", small_generator())
    assert main([str(source), "--data", str(data)]) == 70
    assert "Traceback (most recent call last):" in capsys.readouterr().err


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


def test_the_models_rule_or_its_one_threshold(data, tmp_path, capsys):
    generator = small_generator()
    source = str(write_checkpoint(tmp_path / "a.pt", generator, map_threshold=MapThreshold(1.0, 2.0)))
    assert main([source, "--data", str(data), "--out", str(tmp_path / "own")]) == 0
    assert ": each map's own, by the model's rule\n" in capsys.readouterr().out
    stored = json.loads((tmp_path / "own" / "scores.json").read_text())
    assert set(stored["thresholds"]) == {"24_test", "25_test"}
    assert all(0.2 <= one <= 0.7 for one in stored["thresholds"].values())
    assert main([source, "--data", str(data), "--threshold", "fixed", "--out", str(tmp_path / "fixed")]) == 0
    assert "threshold 0.4: the model's, the same for all maps\n" in capsys.readouterr().out
    stored = json.loads((tmp_path / "fixed" / "scores.json").read_text())
    assert (stored["threshold"], "thresholds" in stored) == (0.4, False)


def test_one_threshold_holds_for_both_models(data, tmp_path, capsys):
    source, other = (
        str(write_checkpoint(tmp_path / f"{name}.pt", small_generator(), threshold=at, map_threshold=rule))
        for name, at, rule in (("a", 0.4, MapThreshold()), ("b", 0.3, MapThreshold(1.0, 2.0)))
    )
    assert main([source, "--data", str(data), "--against", other, "--threshold", "fixed"]) == 0
    printed = capsys.readouterr().out
    for threshold in (0.4, 0.3):
        assert f"threshold {threshold}: the model's, the same for all maps\n" in printed
    assert main([source, "--data", str(data), "--against", other]) == 0
    assert capsys.readouterr().out.count(": each map's own, by the model's rule\n") == 2


def test_maps_have_no_threshold_that_could_be_fixed(data, tmp_path, capsys):
    maps = tmp_path / "maps"
    maps.mkdir()
    assert main([str(maps), "--data", str(data), "--threshold", "fixed"]) == 2
    told = capsys.readouterr().err
    assert f"--threshold fixed: maps in {maps}: no threshold comes with it; give a number from 0 to 1" in told


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
        ("none", [], '"none" is neither a model file nor a bundled model; bundled models: '),
        ("none", [], "; for maps, give their folder"),
        (".", ["--threshold", "2"], "--threshold 2: expected 0 to 1, or one of the words training and fixed"),
        (
            ".",
            ["--threshold", "half"],
            "--threshold half: expected 0 to 1, or one of the words training and fixed",
        ),
        (".", ["--figures"], "--figures needs a folder to write to; name one with --out DIR"),
        (
            ".",
            ["--out", "file"],
            "cannot write to the folder 'file' (File exists); choose another with --out",
        ),
        (".", ["--data", "nowhere"], "nowhere is not a folder"),
        (".", [], "no map of 24_test"),
    ],
)
def test_wrong_use_is_one_line(data, tmp_path, capsys, monkeypatch, source, more, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert main([source, "--data", str(data), *more]) == 2
    error = capsys.readouterr().err
    assert error.startswith("retina-eval: ")
    assert message in error
    assert len(error.splitlines()) == 1
