import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from small_dataset import write_dataset

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.fixture
def angle(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import angle

    return angle


def test_a_camera_is_estimated_from_the_others(angle):
    shares = {"a": np.array([0.02, 0.02]), "b": np.array([0.01]), "c": np.array([0.01])}
    angles = {"a": np.array([30.0, 30.0]), "b": np.array([60.0]), "c": np.array([50.0])}
    assert angle.errors(shares, angles, "b") == pytest.approx([abs(55 / 60 - 1)])


def test_the_table_has_a_row_for_each_camera(angle, tmp_path, capsys):
    first = write_dataset(tmp_path / "first")
    second = Path(shutil.copytree(first, tmp_path / "second"))
    (second / "dataset.json").write_text(json.dumps({"field_of_view": 30}))
    assert angle.main(["--data", str(first), str(second)]) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[:3] for row in rows] == [["| first", "45", "0.00"], ["| second", "30", "0.50"]]
    assert rows[1][3].startswith("0.50 "), "the drawings are alike, so the estimate is 45 degrees"


def test_one_folder_is_refused(angle, capsys):
    with pytest.raises(SystemExit):
        angle.main(["--data", "a"])
    assert "give at least two folders" in capsys.readouterr().err
