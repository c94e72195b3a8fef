import re
import shutil
import sys
from pathlib import Path

import pytest
import torch
from small_dataset import write_dataset

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def measured(monkeypatch, tmp_path, capsys):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import training_speed

    threads = torch.get_num_threads()

    def run(*words):
        small = ["--widths", "4,8", "--patch", "32", "--batch", "2", "--threads", "1", "--warm-up", "1"]
        once = ["--iterations", "2", "--rounds", "1", "--jitter-workers", "0", "--precision", "fp32"]
        data = ["--data", str(write_dataset(tmp_path / "drawn"))]
        monkeypatch.setattr(sys, "argv", ["training_speed.py", *data, *small, *once, *words])
        training_speed.main()
        return capsys.readouterr().out

    yield run
    torch.set_num_threads(threads)


def test_each_side_has_its_speed_and_shares_of_the_whole(measured):
    printed = measured("--sides", "64", "96")
    assert "stem 2, 2 patches of 32 pixels, fp32, 0 jitter workers" in printed
    rows = [re.split(r" *\| *", line)[1:-1] for line in printed.splitlines()[4:]]
    assert [row[:2] for row in rows] == [["64", "no"], ["96", "no"]]
    for row in rows:
        assert float(row[2]) > 0.0
        shares = [int(share.rstrip("%")) for share in row[3:6]]
        assert all(share >= 0 for share in shares)
        assert sum(shares) == pytest.approx(100, abs=2)
        assert row[6] == ""


def test_a_compiled_net_is_compared_with_the_plain_one(measured, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda net: compiled.append(net))
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    plain, other = measured("--sides", "64", "--compile").splitlines()[4:]
    assert len(compiled) == 1
    assert plain.startswith("| 64 | no |")
    assert re.fullmatch(r"\| 64 \| yes \|.*\| \d+\.\d\d \|", other)


def test_a_missing_compiler_is_one_line(measured, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(SystemExit, match=r"training_speed\.py: --compile: no C\+\+ compiler g\+\+ found"):
        measured("--compile")


def test_a_count_of_zero_is_one_line(measured):
    with pytest.raises(SystemExit, match=r"--warm-up 0: expected 1 or more"):
        measured("--warm-up", "0")
