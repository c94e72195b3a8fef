import numpy as np
import pytest

from retinagan.runtime.steps.patches import PatchGrid
from retinagan.runtime.steps.segment import BufferPool

GRID = PatchGrid(64, 32)


def test_buffers_have_room_for_the_whole_grid():
    buffers = BufferPool(GRID).take()
    assert buffers.image.shape == (4, 3, 32, 32)
    assert buffers.roi.shape == buffers.probability.shape == (4, 1, 32, 32)
    assert buffers.image.dtype == buffers.roi.dtype == buffers.probability.dtype == np.float32


def test_buffers_that_nobody_uses_are_lent_again():
    pool = BufferPool(GRID)
    with pool.lent() as first, pool.lent() as second:
        assert first is not second
    with pool.lent() as third:
        assert third in (first, second)


def test_buffers_come_back_after_an_error():
    pool = BufferPool(GRID)
    with pytest.raises(ZeroDivisionError), pool.lent() as buffers:
        raise ZeroDivisionError
    assert pool.take() is buffers
