import json
import math
from pathlib import Path

import numpy as np
import pytest
from small_checkpoint import small_generator, write_checkpoint
from small_dataset import write_dataset

from retinagan.runtime.model.parameters import Preprocessing
from retinagan.train.data.description import Description
from retinagan.train.data.files import Sample
from retinagan.train.scores.metrics import LEVELS, Histogram

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
BY_ANGLE = Preprocessing("ace", 5.0, None, pixels_per_degree=1.5)


@pytest.fixture
def camera_scores(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import camera_scores

    return camera_scores


@pytest.fixture
def scorer(camera_scores, tmp_path):
    def make(name, **changes):
        model = write_checkpoint(tmp_path / f"{name}.pt", small_generator(), **changes)
        return camera_scores.Scorer(model, tmp_path / name)

    return make


def counted(camera_scores, *found):
    """Images of 100 vessel and 900 background pixels, so many of each at probability 1 and the rest at 0."""
    images = []
    for right, wrong in found:
        counts = np.zeros((2, LEVELS + 1), np.int64)
        counts[:, LEVELS], counts[:, 0] = (right, wrong), (100 - right, 900 - wrong)
        images.append(camera_scores.MapCounts.at(0.5, Histogram(*counts)))
    return camera_scores.Counted("45 degrees, known", images)


def test_a_row_has_both_models_and_what_is_lost(camera_scores):
    unseen, seen = counted(camera_scores, (60, 0), (40, 0)), counted(camera_scores, (80, 0), (80, 0))
    line = camera_scores.Row("DRIVE", 2, "45 degrees, known", unseen, seen).line()
    # AUC of one level: (1 + sensitivity) / 2; Dice: 2 * 0.5 / 1.5 and 2 * 0.8 / 1.8
    figures = "0.750 | 0.667 | 0.667 | 0.900 | 0.889 | 0.889 | +0.1500 [+0.1000 to +0.2000] | +0.2222 ["
    assert line.startswith(f"| DRIVE (2) | 45 degrees, known | {figures}")
    facts = camera_scores.Row("DRIVE", 2, "45 degrees, known", unseen, seen).facts()
    assert facts["lost_dice"] == pytest.approx(8 / 9 - 2 / 3)
    assert facts["unseen_dice_low"] < facts["unseen_dice"] < facts["unseen_dice_high"]


def test_a_model_that_is_missing_leaves_its_cells_empty(camera_scores):
    row = camera_scores.Row("HRF", 1, "60 degrees, known", None, counted(camera_scores, (50, 0)))
    assert row.line() == "| HRF (1) | 60 degrees, known |  |  |  | 0.750 | 0.667 | 0.667 |  |  |"
    assert "lost_auc" not in row.facts()
    assert row.facts()["seen_auc"] == 0.75


@pytest.mark.parametrize(
    ("known", "assumed", "ways"),
    [
        (60.0, 45.0, {"known": "60 degrees, known", "assumed": "45 degrees, assumed"}),
        (45.0, 45.0, {"known": "45 degrees, known"}),
        (None, 45.0, {"assumed": "45 degrees, assumed"}),
    ],
)
def test_an_angle_that_makes_no_difference_is_scored_once(camera_scores, scorer, known, assumed, ways):
    camera = camera_scores.Camera("any", [Sample("a", Path("a"), Path("b"), None, None, known)])
    predictor = scorer("net", preprocessing=BY_ANGLE).predictor
    assert predictor.assumed_angle == assumed
    assert camera.angles(predictor) == ways


def test_images_are_counted_once_for_each_model_and_angle(camera_scores, scorer, tmp_path, monkeypatch):
    camera = camera_scores.Camera.of(
        str(write_dataset(tmp_path / "eyes", 1, 2)), "eyes", Description(field_of_view=40.0)
    )
    net = scorer("net", preprocessing=BY_ANGLE)
    (row, assumed) = camera_scores.rows_of(camera, None, net)
    assert (row.angle, assumed.angle) == ("40 degrees, known", "45 degrees, assumed")
    assert (row.images, row.unseen, len(list((tmp_path / "net").iterdir()))) == (2, None, 4)
    monkeypatch.setattr(camera_scores, "load_labelled", None)
    (again, _) = camera_scores.rows_of(camera, net, net)
    assert again.seen.scores.auc == row.seen.scores.auc
    assert again.lost("auc").value == 0.0
    assert not math.isnan(again.seen.scores.dice)


def test_scores_are_written_with_their_models(camera_scores, scorer, tmp_path):
    row = camera_scores.Row("HRF", 1, "60 degrees, known", None, counted(camera_scores, (50, 0)))
    net = scorer("net", record={"command": "retina-train --data HRF"})
    camera_scores.write([row], {"all": net}, tmp_path)
    facts = json.loads((tmp_path / "scores.json").read_text())
    assert facts["models"]["all"]["command"] == "retina-train --data HRF"
    assert facts["rows"][0]["seen_auc"] == 0.75
    assert (tmp_path / "scores.csv").read_text().splitlines() == [
        "camera,images,angle,seen_auc,seen_dice,seen_best_dice,seen_sensitivity,seen_specificity",
        'HRF,1,"60 degrees, known",0.750000,0.666667,0.666667,0.500000,1.000000',
    ]
