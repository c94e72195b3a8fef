import numpy as np
import pytest

from retinagan.train.evaluation import MODEL, POOLED, REGIONS, Row
from retinagan.train.metrics import Scores
from retinagan.train.paper import System
from retinagan.train.reproduction import Result
from retinagan.train.results_page import Facts, results_page

FACTS = Facts(
    "retina-reproduce", "drawn", images=2, iterations=1, batch=1, patches=16, machine="", synthetic=False
)


def result(system, auc, draws, single=False):
    scores = Scores(0.9, 0.8, 0.95, 0.7, auc, 0.6)
    interval = None if single else (scores, scores)
    rows = [Row(MODEL, region, POOLED, scores, interval=interval) for region in REGIONS]
    each = {"auc": np.array(draws), "sensitivity_at_98": np.full(len(draws), 0.6)}
    return Result(system, 0.5, 10, rows, dict.fromkeys(REGIONS, each), dict.fromkeys(REGIONS, 0.1))


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
    ("above", "interval", "verdict"),
    [
        ([0.00002, 0.00002], "[+0.00002 to +0.00002]", "above"),
        ([-0.00003, -0.00003], "[-0.00003 to -0.00003]", "below"),
        ([0.0, 0.0], "[+0.0000 to +0.0000]", "not told apart"),
        ([0.002, 0.002], "[+0.0020 to +0.0020]", "above"),
    ],
)
def test_an_interval_shows_the_side_of_0_that_decides(above, interval, verdict):
    draws = [0.9 + step for step in above]
    page = results_page(pair((0.9, [0.9, 0.9]), (0.91, draws)), FACTS)
    claims = page.partition("## How the paper's claims fare")[2]
    assert f"{interval} | {verdict} |" in claims


def test_the_budget_is_said_as_it_was():
    one = results_page(pair((0.9, [0.9]), (0.9, [0.9])), FACTS).replace("\n", " ")
    assert "1 iteration of one whole image cut into 16 patches and regrouped" in one
    facts = Facts("", "", images=2, iterations=2000, batch=2, patches=1, machine="", synthetic=False)
    more = results_page(pair((0.9, [0.9]), (0.9, [0.9])), facts).replace("\n", " ")
    assert "2,000 iterations of 2 whole images, each cut into one patch and regrouped" in more
