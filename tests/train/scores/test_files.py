import csv
import json
import re
from dataclasses import replace

import pytest

from retinagan.train.scores.evaluation import POOLED, Row
from retinagan.train.scores.files import NAMES, TITLES, row_entries, table, write_csv, write_facts
from retinagan.train.scores.metrics import Scores

MODEL = Scores(0.95, 0.83, 0.97, 0.82, 0.98, 0.79, 0.81)
DRAWN = replace(MODEL, auc=float("nan"), sensitivity_at_98=float("nan"))
LOWER = Scores(*(value - 0.01 for value in vars(MODEL).values()))
UPPER = Scores(*(value + 0.01 for value in vars(MODEL).values()))
ROWS = [
    Row("model", "whole image", POOLED, MODEL, (LOWER, UPPER)),
    Row("model", "whole image", "21_test", MODEL),
    Row("second observer", "whole image", POOLED, DRAWN),
]


def test_the_table_labels_its_rows_and_columns():
    lines = table(ROWS).splitlines()
    assert lines[0].split("  ")[-1].strip() == TITLES[-1]
    assert re.match(r"model, whole image +all pixels", lines[1])
    assert [float(figure) for figure in lines[1].split()[-7:]] == list(vars(MODEL).values())
    assert lines[2].split()[:4] == ["95%", "of", "resamples", "0.940-0.960"]
    assert lines[3].split()[-3:] == ["-", "-", "0.8100"], "a drawn map has no curve"
    assert len({len(line) for line in lines}) == 1
    assert len(table(ROWS, each_image=True).splitlines()) == len(lines) + 1


def test_csv_holds_every_row_and_its_interval(tmp_path):
    write_csv(ROWS, tmp_path / "scores.csv")
    with (tmp_path / "scores.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert [row["image"] for row in read] == [POOLED, "21_test", POOLED]
    for name in NAMES:
        assert float(read[0][name]) == pytest.approx(getattr(MODEL, name))
        assert float(read[0][f"{name}_low"]) == pytest.approx(getattr(LOWER, name))
        assert float(read[0][f"{name}_high"]) == pytest.approx(getattr(UPPER, name))
        assert read[1][f"{name}_low"] == ""
    assert read[2]["auc"] == ""


def test_json_holds_the_facts_and_null_for_what_has_no_value(tmp_path):
    write_facts({"threshold": 0.5, "rows": row_entries(ROWS)}, tmp_path / "scores.json")
    stored = json.loads((tmp_path / "scores.json").read_text())
    assert stored["threshold"] == 0.5
    assert stored["rows"][0]["auc"] == 0.98
    assert stored["rows"][0]["interval"]["auc"] == pytest.approx([0.97, 0.99])
    assert "interval" not in stored["rows"][1]
    assert stored["rows"][2]["auc"] is None
