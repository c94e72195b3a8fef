import numpy as np
import pytest

from retinagan.runtime.retina.core import core_of


@pytest.mark.parametrize(("side", "expected"), [(300, 300), (608, 608), (1200, 608)])
def test_larger_squares_are_shrunk_and_the_rim_is_left_out(side, expected):
    square = np.full((side, side, 3), 90, np.uint8)
    found, core = core_of(square, np.ones((side, side), np.bool_))
    assert found.shape == (expected, expected, 3)
    assert core.shape == (expected, expected)
    assert core[12:-12, 12:-12].all()
    assert not core[:12].any()
    assert not core[:, -12:].any()
