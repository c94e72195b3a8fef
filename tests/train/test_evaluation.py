import csv
import json

import numpy as np
import pytest
from drawn_retina import drawn_retina

from retinagan.train.datasets import LabelledImage
from retinagan.train.evaluation import (
    POOLED,
    REGIONS,
    best_threshold,
    measure,
    score,
    table,
    write_csv,
    write_json,
)


def labelled(name, angles, second=False):
    image, lines = drawn_retina(100, 96, angles)
    fov = image.max(axis=2) > 0
    return LabelledImage(name, image, lines, fov, np.roll(lines, 1, axis=1) & fov if second else None)


def dark_is_vessel(image):
    return np.where(image.image[..., 1] < 60, np.float32(0.8), np.float32(0.3)) * image.fov


@pytest.fixture
def measured():
    images = [labelled("a", (20, 75), second=True), labelled("b", (10, 100, 150), second=True)]
    return list(measure(dark_is_vessel, images))


def test_all_regions_are_scored_for_all_images_and_pooled(measured):
    rows = score(measured, 0.5)
    model = [row for row in rows if row.map == "model"]
    assert [(row.region, row.image) for row in model] == [
        (region, name) for region in REGIONS for name in (POOLED, "a", "b")
    ]
    assert all(row.scores.sensitivity == 1.0 for row in model)
    assert model[0].scores.specificity <= model[3].scores.specificity
    assert len(rows) == 12
    assert rows[6].map == "second observer"
    assert rows[6].scores.dice < 0.9


def test_without_a_second_observer_there_are_no_such_rows():
    rows = score(list(measure(dark_is_vessel, [labelled("a", (20,))])), 0.5)
    assert {row.map for row in rows} == {"model"}


def test_the_threshold_lies_between_the_vessels_and_the_rest(measured):
    assert 0.3 < best_threshold(measured) <= 0.8


def test_the_table_labels_its_regions(measured):
    rows = score(measured, 0.5)
    text = table(rows)
    assert text.splitlines()[0].split() == ["Acc", "Sen", "Spe", "Dice", "AUC", "Sen", "at", "Spe", "0.98"]
    assert [line.split("  ")[0] for line in text.splitlines()[1:]] == [
        "model, inside the FOV",
        "model, whole image",
        "second observer, inside the FOV",
        "second observer, whole image",
    ]
    assert text.splitlines()[4].split()[-2:] == ["-", "-"], "a drawn map has no curve"
    assert len(table(rows, each_image=True).splitlines()) == 13


def test_files_hold_every_row(measured, tmp_path):
    rows = score(measured, 0.5)
    write_csv(rows, tmp_path / "scores.csv")
    write_json(rows, {"threshold": 0.5}, tmp_path / "scores.json")
    with (tmp_path / "scores.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert len(read) == len(rows)
    assert float(read[0]["dice"]) == pytest.approx(rows[0].scores.dice, abs=1e-6)
    stored = json.loads((tmp_path / "scores.json").read_text())
    assert stored["threshold"] == 0.5
    assert stored["rows"][0]["auc"] == rows[0].scores.auc


def test_what_cannot_be_computed_is_null_in_json(tmp_path):
    empty = LabelledImage(
        "dark", np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), bool), np.ones((8, 8), bool), None
    )
    rows = score(list(measure(lambda image: np.zeros((8, 8), np.float32), [empty])), 0.5)
    write_json(rows, {}, tmp_path / "scores.json")
    assert json.loads((tmp_path / "scores.json").read_text())["rows"][0]["sensitivity"] is None
