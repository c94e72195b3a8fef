from dataclasses import replace
from pathlib import Path

import pytest
from tiny_model import write_tiny_model

from retinagan.runtime.model.spec import ModelSpec, spec_path

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


def printed(folder, monkeypatch, capsys):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import proof_table

    monkeypatch.setattr("sys.argv", ["proof_table.py", str(folder)])
    proof_table.main()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines()]


def test_a_row_for_each_file_with_its_proof(tmp_path, monkeypatch, capsys):
    path = write_tiny_model(tmp_path)
    scores = {"auc": 0.98, "dice": 0.8, "acc": 0.95, "sen": None, "spe": 0.97}
    measured = {"max_abs_difference": 0.1, "mean_abs_difference": 0.01, "map_dice": 0.99, "scores": scores}
    spec = ModelSpec.load(spec_path(path))
    replace(spec, proof={"candidate": "Engine 1", "verify": measured}).save(spec_path(path))
    header, rule, row = printed(tmp_path, monkeypatch, capsys)
    assert len(header) == len(rule) == len(row)
    assert (row[0], row[2]) == ("`tiny.onnx`", "Engine 1")
    assert row[4:] == ["1.0e-01", "1.0e-02", "0.9900", "0.9800", "0.8000", "0.9500", "-", "0.9700"]


def test_a_file_without_proof(tmp_path, monkeypatch, capsys):
    write_tiny_model(tmp_path)
    header, _, row = printed(tmp_path, monkeypatch, capsys)
    assert len(row) == len(header)
    assert set(row[4:]) == {"-"}


def test_an_empty_folder(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="no file of retina-export there"):
        printed(tmp_path, monkeypatch, capsys)
