import subprocess
import sys
from pathlib import Path

import pytest
from small_checkpoint import small_generator, write_checkpoint
from small_dataset import write_dataset

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

NOTES = "import sys; open(sys.argv[sys.argv.index('--out') + 1] + '.txt', 'w').close(); sys.exit({code})"
"""A program in the place of retina-train: it leaves a file beside the folder that it is given."""


@pytest.fixture
def cameras(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import cameras

    return cameras


@pytest.fixture
def plan(cameras, tmp_path):
    def make(*words):
        command = ["--data", "eyes/HRF", "eyes/DRIVE", "eyes/FIVES", "--out", str(tmp_path), *words]
        return cameras.plan_of(*cameras.build_parser().parse_known_args(command))

    return make


def write_model(plan, run, command):
    plan.model(run).parent.mkdir(exist_ok=True)
    write_checkpoint(plan.model(run), small_generator(), record={"command": command})


def test_each_dataset_is_left_out_once_with_what_is_stated_about_it(plan, tmp_path):
    made = plan("--threads", "1", "--warped", "0")
    assert list(made.runs) == ["all", "without-HRF", "without-DRIVE", "without-FIVES"]
    words = made.words("without-FIVES")
    assert words[:5] == ["--data", "eyes/HRF", "eyes/DRIVE", "--out", str(tmp_path / "without-FIVES")]
    assert not any("FIVES=" in word for word in words)
    assert made.command("all") == (
        "retina-train --data HRF DRIVE FIVES --test-images 'HRF=0[1-5]_*' --field-of-view FIVES=50 "
        "--pixels-per-degree 26.0 --largest-magnification 2.0 --patch 304 --widths 24,48,96 --stem 2 "
        "--iterations 600 --batch 4 --reuse 6 --learning-rate 0.0015 --warped 0.0 --scale 0.5,2.0 "
        "--terms 'FIVES=CC BY 4.0'"
    )


def test_what_is_given_replaces_what_the_recipe_states(plan):
    made = plan("--test-images", "HRF=1*", "--field-of-view", "DRIVE=45")
    assert set(made.stated) == {
        ("--test-images", "HRF", "1*"),
        ("--field-of-view", "FIVES", "50"),
        ("--terms", "FIVES", "CC BY 4.0"),
        ("--field-of-view", "DRIVE", "45"),
    }
    assert made.descriptions["HRF"].test == ("1*",)
    assert made.descriptions["DRIVE"].field_of_view == 45.0


def test_what_is_finished_is_not_trained_again(cameras, plan, tmp_path, monkeypatch):
    monkeypatch.setattr(cameras, "TRAINER", (sys.executable, "-S", "-c", NOTES.format(code=0)))
    made = plan()
    write_model(made, "without-DRIVE", made.command("without-DRIVE"))
    assert cameras.train(made, list(made.runs)) == 0
    assert {path.stem for path in tmp_path.glob("*.txt")} == {"all", "without-HRF", "without-FIVES"}


def test_the_exit_code_is_that_of_the_training_that_stopped(cameras, plan, tmp_path, monkeypatch):
    monkeypatch.setattr(cameras, "TRAINER", (sys.executable, "-S", "-c", NOTES.format(code=143)))
    assert cameras.train(plan(), ["all", "without-HRF"]) == 143
    assert [path.stem for path in tmp_path.glob("*.txt")] == ["all"]


def test_a_signal_ends_the_training_in_order(cameras, monkeypatch):
    calls = []

    class Training:
        def __init__(self, command, start_new_session):
            assert start_new_session, "Ctrl-C reaches it once, through this process"

        def wait(self):
            calls.append("wait")
            if len(calls) == 1:
                raise KeyboardInterrupt

        def terminate(self):
            calls.append("terminate")

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(subprocess, "Popen", Training)
    with pytest.raises(KeyboardInterrupt):
        cameras.ended(["retina-train"])
    assert calls == ["wait", "terminate", "wait"]


def test_a_model_of_other_options_is_not_taken_for_this_one(cameras, plan, capsys, tmp_path):
    write_model(plan(), "all", "retina-train --data HRF --iterations 9")
    words = ["--data", "HRF", "DRIVE", "--out", str(tmp_path), "--only", "all"]
    assert cameras.main(words) == 2
    told = capsys.readouterr().err
    assert told.startswith(
        f"cameras.py: {tmp_path / 'all' / 'model.pt'} was trained by another command; give"
    )
    assert "there: retina-train --data HRF --iterations 9\n" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["HRF"], "--data HRF: expected two or more folders of different names"),
        (["a/HRF", "b/HRF"], "--data a/HRF b/HRF: expected two or more folders of different names"),
        (["HRF", "DRIVE", "--only", "STARE"], "--only STARE: expected one of all, HRF, DRIVE"),
        (["HRF", "DRIVE", "--terms", "STARE=ours"], "--terms STARE=...: no folder of --data has this name"),
        (["HRF", "DRIVE", "--wide"], "unrecognized arguments: --wide; see cameras.py --help"),
        (["HRF", "DRIVE", "--patch", "7"], "patches of 7 pixels: expected a multiple of"),
    ],
)
def test_wrong_options_are_told_before_any_training(cameras, words, told, capsys):
    assert cameras.main(["--data", *words]) == 2
    assert told in capsys.readouterr().err


def test_models_that_are_there_are_scored_and_the_others_named(cameras, tmp_path, capsys):
    eyes = [str(write_dataset(tmp_path / name, 1, 1)) for name in ("first", "second")]
    words = ["--data", *eyes, "--out", str(tmp_path / "runs"), "--no-training"]
    made = cameras.plan_of(*cameras.build_parser().parse_known_args(words))
    assert cameras.main(words) == 2
    assert "cameras.py: without-first is not trained yet; the same command" in capsys.readouterr().err
    for run in ("all", "without-first"):
        made.model(run).parent.mkdir(parents=True)
        write_model(made, run, made.command(run))
    assert cameras.main(words) == 0
    printed = capsys.readouterr()
    first, second = printed.out.splitlines()[2:]
    assert first.startswith("| first (1) | one working size | 0.")
    assert second.startswith("| second (1) | one working size |  |  |  | 0.")
    assert printed.err.count("is not trained yet") == 1
    assert (tmp_path / "runs" / "scores.csv").is_file()
    assert cameras.main([*words, "--only", "all"]) == 0
    assert capsys.readouterr().out.count("one working size |  |  |  | 0.") == 2
