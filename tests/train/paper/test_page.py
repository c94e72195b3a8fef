import dataclasses
import math

import numpy as np
import pytest

from retinagan.train.paper.page import Facts, results_page
from retinagan.train.paper.printed import System
from retinagan.train.paper.reproduction import Result
from retinagan.train.scores.evaluation import MODEL, POOLED, REGIONS, Row
from retinagan.train.scores.metrics import Scores

FACTS = Facts(
    "retina-reproduce",
    "drawn",
    images=2,
    iterations=1,
    batch=1,
    patches=16,
    models="runs",
    machine="",
    progress=(),
    synthetic=False,
)


def result(system, auc, draws, single=False):
    scores = Scores(0.9, 0.8, 0.95, 0.7, auc, 0.6)
    interval = None if single else (scores, scores)
    rows = [Row(MODEL, region, POOLED, scores, interval=interval) for region in REGIONS]
    each = {"auc": np.array(draws), "sensitivity_at_98": np.full(len(draws), 0.6)}
    return Result(system, 0.5, 10, "fp32", rows, dict.fromkeys(REGIONS, each), dict.fromkeys(REGIONS, 0.1))


def pair(first, second, **more):
    """U-Net and RU-Net, of which a claim of the paper says that the latter is the better."""
    return [
        result(System("unet", "ace"), first[0], first[1], **more),
        result(System("ru-net", "ace"), second[0], second[1], **more),
    ]


def line_of(page, start):
    return next(line for line in page.splitlines() if line.startswith(f"| {start}"))


def test_ranks_have_intervals_where_there_are_images_to_draw_from():
    systems = (0.9, [0.9, 0.92]), (0.91, [0.93, 0.91])
    assert "| 1 [1-2] |" in line_of(results_page(pair(*systems), FACTS), "RU-Net, ACE | 0.91")
    single = line_of(results_page(pair(*systems, single=True), FACTS), "RU-Net, ACE | 0.91")
    assert single.startswith("| RU-Net, ACE | 0.9100 | 1 | ")


@pytest.mark.parametrize(
    ("step", "cells", "said"),
    [
        (
            0.002,
            "[+0.0020 to +0.0020] | above |",
            "images support: recurrent residual blocks help (RU-Net, ACE over",
        ),
        (-0.002, "[-0.0020 to -0.0020] | below |", "contradict: recurrent residual blocks help"),
        (
            0.00002,
            "[+0.0000 to +0.0000] | not told apart |",
            "leave undecided: recurrent residual blocks help",
        ),
        (math.nan, "[- to -] | not told apart |", "leave undecided: recurrent residual blocks help"),
    ],
)
def test_each_claim_is_judged(step, cells, said):
    page = results_page(pair((0.9, [0.9, 0.9]), (0.91, [0.9 + step] * 2)), FACTS)
    claims = page.partition("## The paper's claims, tested")[2]
    assert cells in claims
    assert said in claims
    assert claims.count(": none.") == 2, "the other two verdicts"


def test_what_the_paper_prints_twice_and_differently_is_named():
    page = results_page(pair((0.9, [0.9]), (0.9, [0.9])), FACTS).replace("\n", " ")
    assert "The two tables disagree on Retina-GAN, ACE: Spe is 0.98 in one and 0.979 in the other." in page


def test_the_budget_is_said_as_it_was():
    one = results_page(pair((0.9, [0.9]), (0.9, [0.9])), FACTS).replace("\n", " ")
    assert "1 iteration of one whole image cut into 16 patches and regrouped" in one
    facts = dataclasses.replace(FACTS, iterations=2000, batch=2, patches=1)
    more = results_page(pair((0.9, [0.9]), (0.9, [0.9])), facts).replace("\n", " ")
    assert "2,000 iterations of 2 whole images, each cut into one patch and regrouped" in more
