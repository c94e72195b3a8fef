import csv
import json
import os
import re
import signal

import pytest
import torch
from processes import torchrun
from small_dataset import add_second_expert, write_dataset

from retinagan.runtime.model.parameters import MapThreshold
from retinagan.train.commands import main_train as main
from retinagan.train.loop import command as train_command
from retinagan.train.loop import devices, learning, release
from retinagan.train.nets.checkpoint import load_checkpoint
from retinagan.train.scores.prediction import checkpoint_predictor


@pytest.fixture(autouse=True)
def plain_cpu(monkeypatch):
    """One that does not compute in bfloat16, whatever the tests run on."""
    monkeypatch.setattr(devices, "_cpu_flags", frozenset)


@pytest.fixture
def data(tmp_path):
    return write_dataset(tmp_path / "drawn")


@pytest.fixture(autouse=True)
def same_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def arguments(data, out, *more):
    small = ["--iterations", "2", "--batch", "2", "--working-size", "128", "--patch", "32", "--widths", "4,8"]
    return [
        "--data",
        str(data),
        "--out",
        str(out),
        *small,
        "--threads",
        "1",
        "--device",
        "cpu",
        "--jitter-workers",
        "0",
        *more,
    ]


def test_a_run_leaves_a_model_that_can_be_used(data, tmp_path, capsys):
    out = tmp_path / "run"
    assert main(arguments(data, out, "--adversarial-iterations", "1", "--terms", "free to use")) == 0
    model = load_checkpoint(out / "model.pt")
    assert 0.0 < model.threshold < 1.0
    assert isinstance(model.map_threshold, MapThreshold)
    assert model.resume is None
    assert model.generator.config.widths == (4, 8)
    assert model.record["data"] == "drawn"
    assert model.record["terms"] == "free to use"
    assert model.record["training_images"] == ["21_training", "22_training", "23_training"]
    assert model.record["threshold_from"] == "3 training images"
    assert model.record["iterations"] == 3
    assert model.record["command"] == (
        "retina-train --data drawn --working-size 128 --patch 32 --widths 4,8 --iterations 2 "
        "--adversarial-iterations 1 --batch 2 --terms 'free to use'"
    )
    assert (out / "patches.pt").is_file()
    assert json.loads((out / "options.json").read_text())["adversarial"]["iterations"] == 1
    with (out / "log.csv").open(newline="") as file:
        assert [row["stage"] for row in csv.DictReader(file)] == ["patches", "patches", "adversarial"]
    printed = capsys.readouterr().out
    assert "parameters, 3 images, 0 held out, 1 thread, fp32" in printed
    assert "on 3 training images, inside the FOV: AUC" in printed


def test_held_out_images_choose_the_threshold(data, tmp_path, capsys):
    assert main(arguments(data, tmp_path / "run", "--validation", "1", "--model", "unet")) == 0
    model = load_checkpoint(tmp_path / "run" / "model.pt")
    assert model.record["held_out_images"] == ["21_training"]
    assert model.record["threshold_from"] == "1 held-out images"
    printed = capsys.readouterr().out
    assert "2 images, 1 held out" in printed
    assert "validation 2/2  inside the FOV: AUC" in printed


def test_scores_of_held_out_images_on_the_way_are_gone_on_with(data, tmp_path, monkeypatch):
    more = ["--validation", "1", "--validation-every", "2", "--iterations", "5"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(arguments(data, whole, *more)) == 0
    original = train_command.Trainer.step

    def step_then_stop(trainer):
        losses = original(trainer)
        if trainer.iteration == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return losses

    with monkeypatch.context() as patch:
        patch.setattr(train_command.Trainer, "step", step_then_stop)
        assert main(arguments(data, parts, *more)) == 143
    assert main(arguments(data, parts, *more)) == 0
    first, second = ((folder / "validation.csv").read_text() for folder in (whole, parts))
    assert first == second
    assert [line.split(",")[0] for line in first.splitlines()] == ["iteration", "2", "4", "5"]
    without = tmp_path / "without"
    assert main(arguments(data, without, *more, "--validation-every", "1000")) == 0
    states = [
        load_checkpoint(folder / "model.pt").generator.state_dict() for folder in (whole, parts, without)
    ]
    for name, value in states[0].items():
        assert torch.equal(states[1][name], value)
        assert torch.equal(states[2][name], value), "scoring leaves the training alone"


def test_a_model_that_is_unfit_for_use_is_not_released(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(release, "worth_fault", lambda threshold, scores: f"AUC {scores['auc']:.0f}")
    assert main(arguments(data, tmp_path / "run")) == 2
    assert "not released: AUC" in capsys.readouterr().err
    assert not (tmp_path / "run" / "model.pt").exists()
    assert (tmp_path / "run" / "checkpoint.pt").is_file()


def test_a_bad_held_out_image_is_named_before_the_first_step(data, tmp_path, capsys):
    (data / "training" / "1st_manual" / "21_manual1.png").write_bytes(b"broken")
    assert main(arguments(data, tmp_path / "run", "--validation", "1")) == 2
    assert "21_manual1.png" in capsys.readouterr().err
    assert not (tmp_path / "run" / "log.csv").exists()


def test_files_that_do_not_fit_are_warned_of(data, tmp_path, capsys):
    (data / "training" / "mask" / "22_training_mask.png").unlink()
    assert main(arguments(data, tmp_path / "run")) == 0
    error = capsys.readouterr().err
    assert error.startswith("retina-train: warning: ")
    assert "22_training.png: no mask in" in error
    assert len(error.splitlines()) == 1


def test_a_folder_that_is_no_dataset_is_told_the_layouts(tmp_path, capsys):
    assert main(arguments(tmp_path, tmp_path / "run")) == 2
    error = capsys.readouterr().err
    assert all(name in error for name in ("DRIVE", "CHASE_DB1", "STARE", "HRF", "plain"))


def test_a_stopped_run_says_how_it_goes_on(data, tmp_path, capsys, monkeypatch):
    def stopped(trainer, journal, release, saving, stop, validation):
        trainer.step()
        trainer.checkpoint().save(saving.folder / "checkpoint.pt")
        stop.number = 15

    command = arguments(data, tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(train_command, "run", stopped)
        assert main(command) == 143
    assert "stopped at iteration 1; the same command resumes from" in capsys.readouterr().out
    assert main(command) == 0
    assert "resuming at iteration 1 of 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--validation", "1", "--validation-every", "0"], "--validation-every 0: expected a whole number"),
        (["--validation", "3"], "--validation 3: expected 0 to 2, for 3 images"),
        (["--model", "unet", "--adversarial-iterations", "5"], "unet has no discriminator"),
        (["--colour-jitter", "-1"], "colour jitter -1: expected 0 (none) to 3"),
        (["--scale", "2,1"], "scale 2,1: expected the smallest and the largest"),
        (["--seed", "-1"], "--seed -1: expected a finite number, 0 or more"),
        (["--seed", str(2**63)], "expected 0 to 2**63 - 1"),
        (["--learning-rate", "nan"], "--learning-rate nan: expected a finite number, 0 or more"),
        (["--dice-weight", "-1"], "--dice-weight -1.0: expected a finite number, 0 or more"),
        (["--snapshots", "-1"], "--snapshots -1: expected a finite number, 0 or more"),
        (["--warped", "1.5"], "share of warped patches 1.5: expected 0 to 1"),
        (["--patch", "99"], "patches of 99 pixels: expected a multiple of 2"),
        (["--jitter-workers", "99"], "--jitter-workers 99: expected 0 to 16"),
        (["--pixels-per-degree", "9"], "--working-size and --pixels-per-degree exclude each other: give one"),
        (["--weights", "1,2"], "--weights 1,2: expected one number for each dataset, of which there are 1"),
        (
            ["--field-of-view", "mine=45"],
            "--field-of-view mine=...: no folder of --data has this name; its folders: drawn",
        ),
        (["--field-of-view", "drawn=4"], "--field-of-view drawn: got 4, expected 10 to 220 degrees"),
        (["--test-images", "drawn=22*"], "which say what tests: leave out the images to test with"),
        (["--preprocess", "magic"], "magic"),
        (["--device", "cuda"], "finds 0 CUDA devices"),
        (["--accumulate", "3"], "--accumulate 3: expected a number that divides --batch 2"),
        (["--threads", "-3"], "--threads -3: expected a whole number from 1"),
        (["--iterations", "-1", "--adversarial-iterations", "3"], "expected 0 or more of each"),
        (["--init", "nowhere.pt"], '"nowhere.pt" is neither a checkpoint file nor a bundled one'),
    ],
)
def test_wrong_use_is_one_line(data, tmp_path, capsys, monkeypatch, more, message):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(arguments(data, tmp_path / "run", *more)) == 2
    error = capsys.readouterr().err
    assert error.startswith("retina-train: ")
    assert message in error
    assert len(error.splitlines()) == 1


def test_a_defect_keeps_its_traceback(data, tmp_path, capsys, monkeypatch):
    def broken(*_):
        raise ValueError("of torch or numpy")

    monkeypatch.setattr(train_command.Trainer, "step", broken)
    assert main(arguments(data, tmp_path / "run")) == 70
    error = capsys.readouterr().err
    assert "Traceback (most recent call last):" in error
    assert "please report it with the lines above" in error


def test_a_folder_that_cannot_be_made_is_one_line(data, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(arguments(data, tmp_path / "file")) == 2
    assert capsys.readouterr().err.endswith("file: expected a folder; there is a file of this name\n")
    assert main(arguments(data, tmp_path / "file" / "run")) == 2
    assert capsys.readouterr().err == f"retina-train: {tmp_path / 'file' / 'run'}: Not a directory\n"


def test_bad_data_is_named_before_the_first_step(data, tmp_path, capsys):
    (data / "training" / "images" / "21_training.png").write_bytes(b"broken")
    (data / "training" / "1st_manual" / "23_manual1.png").write_bytes(b"broken")
    assert main(arguments(data, tmp_path / "run")) == 2
    error = capsys.readouterr().err
    assert "21_training.png" in error
    assert "23_manual1.png" in error
    assert not (tmp_path / "run" / "log.csv").exists()


def test_a_folder_of_another_run_is_not_overwritten(data, tmp_path, capsys):
    out = tmp_path / "run"
    assert main(arguments(data, out)) == 0
    before = (out / "model.pt").read_bytes()
    assert main(arguments(data, out, "--seed", "7")) == 2
    assert "seed: 0 there, 7 asked for): give the same ones, or another --out" in capsys.readouterr().err
    assert (out / "model.pt").read_bytes() == before


def test_a_finished_run_is_left_as_it_is(data, tmp_path):
    out = tmp_path / "run"
    assert main(arguments(data, out)) == 0
    before = load_checkpoint(out / "model.pt")
    assert main(arguments(data, out)) == 0
    after = load_checkpoint(out / "model.pt")
    assert after.threshold == before.threshold
    for name, value in before.generator.state_dict().items():
        assert torch.equal(after.generator.state_dict()[name], value)


def test_an_interrupt_while_reading_is_one_line(data, tmp_path, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(learning, "load_training_images", interrupted)
    assert main(arguments(data, tmp_path / "run")) == 130
    assert capsys.readouterr().err.startswith("retina-train: interrupted before it could save")


def test_augmentation_is_chosen_and_recorded(data, tmp_path):
    more = ["--colour-jitter", "0.5", "--scale", "0.9,1.2", "--warped", "0.25"]
    assert main(arguments(data, tmp_path / "run", *more)) == 0
    record = load_checkpoint(tmp_path / "run" / "model.pt").record
    assert record["options"]["colour"]["brightness"] == 0.125
    assert record["options"]["geometry"] == {"warped": 0.25, "scale": [0.9, 1.2]}
    assert record["command"].endswith("--colour-jitter 0.5 --warped 0.25 --scale 0.9,1.2")


def test_a_run_may_be_computed_in_parts_and_half_precision(data, tmp_path):
    more = ["--accumulate", "2", "--precision", "bf16", "--tensorboard"]
    assert main(arguments(data, tmp_path / "run", *more)) == 0
    record = load_checkpoint(tmp_path / "run" / "model.pt").record
    assert record["options"]["accumulate"] == 2
    assert record["options"]["precision"] == "bf16"
    assert record["command"].endswith("--batch 2 --accumulate 2 --precision bf16")
    assert len(list((tmp_path / "run" / "tensorboard").iterdir())) == 1


def test_a_run_does_not_go_on_with_other_images(data, tmp_path, capsys):
    out = tmp_path / "run"
    assert main(arguments(data, out)) == 0
    model = (out / "model.pt").read_bytes()
    assert main(arguments(data, out, "--split", "all")) == 2
    error = capsys.readouterr().err
    assert "the run there learns from 3 other images (21_training, ...), asked for are 5" in error
    assert "give the same --data, or another --out" in error
    assert (out / "model.pt").read_bytes() == model


def test_no_autocast_is_fp32(data, tmp_path):
    assert main(arguments(data, tmp_path / "run", "--no-autocast")) == 0
    record = load_checkpoint(tmp_path / "run" / "model.pt").record
    assert record["options"]["precision"] == "fp32"
    assert record["command"].endswith("--batch 2 --precision fp32")


def test_two_processes_train_one_model(data, tmp_path):
    together = torchrun(
        "-m", "retinagan.train.commands", *arguments(data, tmp_path / "two"), "--precision", "fp32"
    )
    assert together.returncode == 0, together.stderr[-3000:]
    assert together.stdout.count("threshold") == 1, "one process speaks"
    assert "fp32, 2 processes" in together.stdout
    assert main(arguments(data, tmp_path / "one", "--precision", "fp32", "--accumulate", "2")) == 0
    two, one = (load_checkpoint(tmp_path / name / "model.pt") for name in ("two", "one"))
    assert two.record["command"] == one.record["command"]
    for name, value in one.generator.state_dict().items():
        torch.testing.assert_close(two.generator.state_dict()[name], value, rtol=1e-4, atol=1e-6)


@pytest.fixture
def two_cameras(data, tmp_path, monkeypatch):
    """A dataset of two plain images more, of a wider camera."""
    # A few iterations on two cameras learn nothing.
    monkeypatch.setattr(release, "worth_fault", lambda threshold, scores: "")
    wide = tmp_path / "wide"
    for kind, folder in (("images", "images"), ("1st_manual", "labels")):
        (wide / folder).mkdir(parents=True)
        for number in (24, 25):
            (source,) = (data / "test" / kind).glob(f"{number}_*")
            (wide / folder / f"{number}.png").write_bytes(source.read_bytes())
    return data, wide


def cameras(data, wide, out, *more):
    small = [
        "--iterations",
        "6",
        "--batch",
        "2",
        "--reuse",
        "2",
        "--patch",
        "32",
        "--widths",
        "4,8",
        "--stem",
        "2",
    ]
    scale = ["--pixels-per-degree", "2", "--field-of-view", "drawn=30", "--field-of-view", "wide=45"]
    ending = ["--out", str(out), "--threads", "1", "--device", "cpu", "--split", "all"]
    return ["--data", str(data), str(wide), *small, *scale, *ending, *more]


def test_which_expert_is_learned_from(data, tmp_path, capsys):
    for experts, told in (
        ("both", "both: no image has a second"),
        ("second", "second: .*21_training.png has no"),
    ):
        assert main(arguments(data, tmp_path / "none", "--experts", experts)) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert re.search(f"retina-train: --experts {told} .*2nd_manual/", line)
    add_second_expert(data, 21, 22)
    assert main(arguments(data, tmp_path / "none", "--experts", "second")) == 2
    assert "23_training.png has no second" in capsys.readouterr().err
    assert main(arguments(data, tmp_path / "both", "--experts", "both")) == 0
    record = load_checkpoint(tmp_path / "both" / "model.pt").record
    assert record["options"]["experts"] == "both"
    assert "--experts both" in record["command"]
    capsys.readouterr()
    assert main(arguments(data, tmp_path / "both")) == 2
    assert "experts: both there, first asked for" in capsys.readouterr().err


def test_several_cameras_are_learned_from_at_one_density(two_cameras, tmp_path, capsys):
    more = ["--terms", "drawn=CC BY 4.0", "--terms", "wide=ask us", "--validation", "1", "--weights", "1,2"]
    assert main(cameras(*two_cameras, tmp_path / "run", *more)) == 0
    model = load_checkpoint(tmp_path / "run" / "model.pt")
    assert (model.preprocessing.pixels_per_degree, model.preprocessing.working_size) == (2.0, None)
    assert (model.generator.config.stem, model.network_input.divisor, model.tiling.patch) == (2, 4, None)
    record = model.record
    assert record["data"] == "drawn, wide"
    assert record["terms"] == "CC BY 4.0; ask us"
    assert record["training_images"] == [f"drawn/{n}" for n in (
        "22_training", "23_training", "24_test", "25_test")] + ["wide/25"]  # fmt: skip
    assert record["held_out_images"] == ["drawn/21_training", "wide/24"]
    assert record["threshold_from"] == "2 held-out images"
    assert [(one["name"], one["terms"], one["field_of_view"]) for one in record["datasets"]] == [
        ("drawn", "CC BY 4.0", [30.0]),
        ("wide", "ask us", [45.0]),
    ]
    predictor = checkpoint_predictor(model, "model")
    assert predictor.trained_on("wide", "24")
    assert not predictor.trained_on("drawn", "24")
    assert not predictor.trained_on("other", "24")
    words = record["command"].split()
    for expected in ("--weights 1.0,2.0", "--field-of-view drawn=30 --field-of-view wide=45", "--stem 2"):
        assert expected in " ".join(words)
    assert "5 images, 2 held out" in capsys.readouterr().out


def test_workers_and_interruptions_change_no_bit(two_cameras, tmp_path, monkeypatch):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    adversarial = ["--adversarial-iterations", "2", "--image-batch", "2"]
    assert main(cameras(*two_cameras, whole, "--jitter-workers", "0", *adversarial)) == 0
    original = train_command.Trainer.step

    def stopping(trainer):
        if trainer.iteration == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(trainer)

    monkeypatch.setattr(train_command.Trainer, "step", stopping)
    assert main(cameras(*two_cameras, parts, "--jitter-workers", "1", *adversarial)) == 128 + signal.SIGTERM
    monkeypatch.setattr(train_command.Trainer, "step", original)
    assert main(cameras(*two_cameras, parts, "--jitter-workers", "1", *adversarial)) == 0
    one, other = (load_checkpoint(folder / "model.pt").generator.state_dict() for folder in (whole, parts))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_an_angle_that_is_not_known_is_named(two_cameras, tmp_path, capsys):
    data, wide = two_cameras
    words = cameras(data, wide, tmp_path / "run")
    words.remove("wide=45")
    del words[words.index("--field-of-view", words.index("drawn=30"))]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.count("the camera's angle is not known of") == 1
    assert re.search(r"wide: the camera's angle is not known of (\d+) of \1 images \(.*24", error)
    assert "give --field-of-view wide=DEGREES, where the name is that of the dataset's folder" in error


def test_two_folders_of_one_name_are_refused(data, tmp_path, capsys):
    assert main(arguments(data, tmp_path / "run", "--data", str(data), str(data))) == 2
    assert "two folders are named drawn" in capsys.readouterr().err
