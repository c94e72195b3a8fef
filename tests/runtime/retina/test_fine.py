import numpy as np
import pytest

from retinagan.runtime.retina.fine import fine_square


@pytest.mark.parametrize(("side", "expected"), [(300, 300), (608, 608), (1200, 608)])
def test_larger_squares_are_shrunk_and_the_rim_is_left_out(side, expected):
    square = np.full((side, side, 3), 90, np.uint8)
    fine = fine_square(square, np.ones((side, side), np.bool_))
    assert fine.square.shape == (expected, expected, 3)
    assert fine.roi.all()
    core = fine.core
    assert core.shape == fine.roi.shape == (expected, expected)
    assert core[12:-12, 12:-12].all()
    assert not core[:12].any()
    assert not core[:, -12:].any()
