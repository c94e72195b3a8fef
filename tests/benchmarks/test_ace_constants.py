import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"
SIDES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


@pytest.fixture
def ace_constants(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import ace_constants

    return ace_constants


@pytest.mark.parametrize("side", SIDES)
def test_the_fit_gives_the_shares_of_the_kernel(ace_constants, side):
    equations = ace_constants.fit(side, ace_constants.kernel_third())
    shares = ace_constants.kernel_shares()[side]
    np.testing.assert_allclose(equations.best(), shares, atol=0.015)
    assert equations.error(shares) <= 1.0002 * equations.error(equations.best())


def test_the_kernel_has_shares_for_each_size_of_block_and_no_other(ace_constants):
    assert tuple(ace_constants.kernel_shares()) == ace_constants.SIDES == SIDES


def test_other_shares_are_worse(ace_constants):
    equations = ace_constants.fit(4, ace_constants.kernel_third())
    for change in 0.1 * np.eye(3):
        assert equations.error(ace_constants.kernel_shares()[4] + change) > 1.002 * equations.error(
            equations.best()
        )


def test_the_share_of_far_blurs_makes_them_add_up_to_one_over_distance(ace_constants):
    assert ace_constants.third_share() == pytest.approx(ace_constants.kernel_third(), rel=0.0015)


def test_the_model_of_the_expansion_is_near_the_exact_sums(ace_constants):
    choice = ace_constants.Choice()
    largest, mean = ace_constants.levels_apart({5.0: 1}, choice, side=44)
    assert largest < 1
    assert mean < 0.1
    assert largest > 3 * ace_constants.levels_apart({5.0: 2}, choice, side=44)[0]


@pytest.mark.parametrize("alpha", [5.0, 255.0])
def test_the_response_stays_well_below_the_bound_of_the_fixed_point(ace_constants, alpha):
    assert 0.9 < ace_constants.overshoot(alpha, histograms=8) < 1.05


@pytest.mark.parametrize(
    ("what", "first"), [("shares", "Third share: 18.33; the kernel's: 18.31"), ("overshoot", "| alpha |")]
)
def test_each_table_is_printed(ace_constants, what, first, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["ace_constants.py", what])
    monkeypatch.setattr(ace_constants, "overshoot", lambda alpha: 1.0)
    ace_constants.main()
    assert capsys.readouterr().out.startswith(first)
