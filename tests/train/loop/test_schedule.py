from itertools import pairwise

import pytest

from retinagan.train.loop.schedule import rate_factor


def test_learning_rates_warm_up_and_fall_to_zero():
    factors = [rate_factor(position, 30) for position in range(31)]
    assert factors[0] < factors[1] < factors[2]
    assert max(factors) == factors[2]
    assert all(first > second for first, second in pairwise(factors[2:]))
    assert factors[30] == pytest.approx(0.0, abs=1e-12)


def test_a_stage_of_one_iteration_has_its_full_rate():
    assert rate_factor(0, 1) == 1.0
