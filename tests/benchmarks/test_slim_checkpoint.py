import sys
from pathlib import Path

import pytest
import torch

from retinagan.train.nets.checkpoint import Checkpoint, load_checkpoint
from retinagan.train.nets.config import GeneratorConfig
from retinagan.train.nets.discriminator import Discriminator
from retinagan.train.nets.generator import Generator

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.fixture
def slim(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import slim_checkpoint

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["slim_checkpoint.py", *map(str, words)])
        slim_checkpoint.main()

    return run


def write(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = Generator(GeneratorConfig(widths=(2, 4)))
    checkpoint = Checkpoint(
        generator, Discriminator(), threshold=0.4, record={"data": "drawn"}, resume={"a": 1}
    )
    checkpoint.save(path)
    return generator.state_dict()


def test_the_generator_and_its_record_are_kept_and_nothing_else(slim, tmp_path):
    weights = write(tmp_path / "a.pt")
    slim(tmp_path / "a.pt", tmp_path / "more" / "b.pt")
    copied = load_checkpoint(tmp_path / "more" / "b.pt")
    assert (copied.discriminator, copied.resume, copied.threshold) == (None, None, 0.4)
    assert copied.record == {"data": "drawn"}
    for name, value in copied.generator.state_dict().items():
        assert torch.equal(value, weights[name])


def test_of_a_folder_the_finished_runs_are_taken(slim, tmp_path):
    for name in ("done/model.pt", "done/iteration-5.pt", "done/checkpoint.pt", "under-way/checkpoint.pt"):
        write(tmp_path / "runs" / name)
    (tmp_path / "runs" / "done" / "log.csv").write_text("iteration\n0\n")
    slim(tmp_path / "runs", tmp_path / "out")
    written = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    assert written == {"done/model.pt", "done/iteration-5.pt", "done/log.csv"}


def test_a_run_without_a_log_is_taken_too(slim, tmp_path):
    write(tmp_path / "runs" / "done" / "model.pt")
    slim(tmp_path / "runs", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out" / "done").iterdir()] == ["model.pt"]


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("runs", "runs", "runs: expected another place than the source"),
        ("a.pt", "a.pt", "a.pt: expected another place than the source"),
        ("runs", "runs/slim", "slim: expected another place than the source"),
        ("a.pt", "runs", "runs: expected a file, as"),
        ("runs", "a.pt", "a.pt: expected a folder, as"),
        ("gone.pt", "runs", "gone.pt: no such file or folder; expected a checkpoint"),
    ],
)
def test_a_target_that_will_not_do_is_explained(slim, tmp_path, capsys, source, target, message):
    write(tmp_path / "a.pt")
    write(tmp_path / "runs" / "done" / "model.pt")
    before = (tmp_path / "a.pt").read_bytes()
    with pytest.raises(SystemExit) as caught:
        slim(tmp_path / source, tmp_path / target)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
    assert (tmp_path / "a.pt").read_bytes() == before


def test_a_folder_without_runs_is_explained(slim, tmp_path):
    (tmp_path / "runs").mkdir()
    with pytest.raises(SystemExit, match="expected folders with a model"):
        slim(tmp_path / "runs", tmp_path / "out")


def test_what_is_no_checkpoint_is_explained(slim, tmp_path):
    (tmp_path / "a.pt").write_text("no checkpoint")
    with pytest.raises(SystemExit, match=r"a\.pt: "):
        slim(tmp_path / "a.pt", tmp_path / "b.pt")
