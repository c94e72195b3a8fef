import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"
HEAD = "iteration,stage,loss,pixel,adversarial,discriminator,d_expert,d_generated\n"


@pytest.fixture
def training_logs(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import training_logs

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["training_logs.py", *map(str, words)])
        training_logs.main()

    return run


def test_each_run_and_stage_has_its_lines(training_logs, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "log.csv").write_text(
        f"{HEAD}0,patches,1,0.25,,,,\n1,adversarial,1,0.125,2,1,0.75,0.5\n"
    )
    (tmp_path / "other.csv").write_text(f"{HEAD}0,patches,1,0.5,,,,\n")
    training_logs(tmp_path / "mine" / "log.csv", tmp_path / "other.csv")
    assert capsys.readouterr().out.splitlines()[2:] == [
        "| mine | 0-1 | patches | 0.250 |  |  |  |  |",
        "|  | 1-2 | adversarial | 0.125 | 2.000 | 1.000 | 0.750 | 0.500 |",
        "| other | 0-1 | patches | 0.500 |  |  |  |  |",
    ]


def test_what_is_no_log_is_explained(training_logs, tmp_path):
    with pytest.raises(SystemExit, match=r"log\.csv: no such file; expected the log\.csv of a run"):
        training_logs(tmp_path / "log.csv")
    (tmp_path / "log.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SystemExit, match=r"log\.csv: not the log of a training; missing columns: iteration"):
        training_logs(tmp_path / "log.csv")
