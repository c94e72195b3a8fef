import dataclasses

import numpy as np
import pytest

from retinagan.train.paper.printed import System
from retinagan.train.paper.reproduction import Result, gain, ranks, snapshot_step, training_arguments
from retinagan.train.scores.evaluation import FOV, MODEL, POOLED, Row
from retinagan.train.scores.metrics import Scores


def result(auc, draws):
    scores = Scores(0.9, 0.8, 0.95, 0.7, auc, 0.6)
    row = Row(MODEL, FOV, POOLED, scores, interval=(scores, scores))
    return Result(System("gan", "ace"), 0.5, 10, "fp32", [row], {FOV: {"auc": np.array(draws)}}, {})


def test_ranks_have_intervals_over_the_same_resamples():
    clear = result(0.97, [0.97] * 100)
    close = [result(0.95, [0.96, 0.94] * 50), result(0.949, [0.95] * 100)]
    assert ranks([close[1], clear, *close[:1]], FOV, "auc") == [(3, 2, 3), (1, 1, 1), (2, 2, 3)]


def test_systems_that_do_the_same_share_a_rank():
    assert ranks([result(0.9, [0.9] * 4)] * 2, FOV, "auc") == [(1, 1, 1), (1, 1, 1)]


@pytest.mark.parametrize(
    ("draws", "verdict"),
    [
        ([0.96, 0.95, 0.97], "above"),
        ([0.92, 0.95, 0.97], "not told apart"),
        ([0.92, 0.91, 0.90], "below"),
    ],
)
def test_a_gain_is_judged_by_the_same_resamples_of_both(draws, verdict):
    other = [0.94, 0.93, 0.96]
    one = gain(result(np.mean(draws), draws), result(np.mean(other), other), FOV, "auc")
    differences = np.subtract(draws, other)
    assert one.value == pytest.approx(differences.mean())
    assert differences.min() <= one.interval[0] < one.interval[1] <= differences.max()
    assert one.verdict == verdict


def test_a_single_image_tells_nothing_apart():
    single = [
        dataclasses.replace(one, rows=[dataclasses.replace(one.rows[0], interval=None)])
        for one in (result(0.97, [0.97] * 3), result(0.95, [0.95] * 3))
    ]
    one = gain(*single, FOV, "auc")
    assert (one.interval, one.verdict) == (None, "not told apart")
    assert one.value == pytest.approx(0.02)


def test_models_are_kept_at_the_quarters_of_the_budget(tmp_path):
    assert [snapshot_step(budget) for budget in (4000, 2, 1)] == [1000, 1, 1]
    plan = training_arguments(System("retina-gan", "ace"), 4000, "DRIVE", tmp_path, [])
    assert plan.snapshots == 1000
    assert training_arguments(System("retina-gan", "none"), 4000, "DRIVE", tmp_path, []).snapshots == 0


def test_what_has_no_discriminator_trains_without_its_weight(tmp_path):
    plans = {
        model: training_arguments(System(model, "ace"), 5, "DRIVE", tmp_path, ["--seed", "3"])
        for model in ("unet", "ru-net", "gan")
    }
    assert plans["unet"].adversarial_weight == plans["ru-net"].adversarial_weight == 0
    assert plans["gan"].adversarial_weight > 0
    assert {(plan.iterations, plan.adversarial_iterations, plan.seed) for plan in plans.values()} == {
        (0, 5, 3)
    }
