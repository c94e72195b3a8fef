import cv2
import numpy as np
import pytest
from drawn_retina import drawn_retina

from retinagan.runtime.model.parameters import NetworkInput, Preprocessing, Tiling
from retinagan.runtime.steps.patches import PatchGrid
from retinagan.runtime.steps.prepare import prepare
from retinagan.runtime.steps.segment import BufferPool, Network, segment_square
from retinagan.runtime.steps.timing import StageClock

GRID = PatchGrid(64, 32)


def test_buffers_have_room_for_the_whole_grid():
    buffers = BufferPool().take(GRID)
    assert buffers.image.shape == (4, 3, 32, 32)
    assert buffers.roi.shape == buffers.probability.shape == (4, 1, 32, 32)
    assert buffers.image.dtype == buffers.roi.dtype == buffers.probability.dtype == np.float32


def test_buffers_that_nobody_uses_are_lent_again():
    pool = BufferPool()
    with pool.lent(GRID) as first, pool.lent(GRID) as second:
        assert first is not second
    with pool.lent(GRID) as third:
        assert third in (first, second)


def test_buffers_come_back_after_an_error():
    pool = BufferPool()
    with pytest.raises(ZeroDivisionError), pool.lent(GRID) as buffers:
        raise ZeroDivisionError
    assert pool.take(GRID) is buffers


PREPROCESSING = Preprocessing("none", 5.0, 64)
TILING = Tiling(GRID.side, GRID.overlap)
INPUT = NetworkInput((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def green_as_probability(patches, roi, probability):
    """Stand in for a network: what it gives shows which patches it was given, and their normalisation."""
    assert patches.shape[1:] == (3, 32, 32)
    probability[:] = patches[:, 1:2] * roi


def test_a_square_is_cut_run_and_brought_back_into_the_frame():
    frame, _ = drawn_retina(180, 260)
    prepared = prepare(frame, PREPROCESSING)
    found = segment_square(prepared, TILING, Network(green_as_probability, INPUT), threshold=0.3)
    expected = prepared.crop.restore(prepared.image[..., 1].astype(np.float32) / 255)
    inside = cv2.erode(prepared.retina.mask.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    np.testing.assert_allclose(found.probability[inside], expected[inside], atol=1e-5)
    np.testing.assert_array_equal(found.vessels, found.roi & (found.probability >= np.float32(0.3)))
    assert not found.probability[~found.roi].any()


def test_the_stages_are_counted_on_the_clock():
    prepared = prepare(drawn_retina()[0], PREPROCESSING)
    clock = StageClock()
    found = segment_square(prepared, TILING, Network(green_as_probability, INPUT), clock=clock)
    assert found.seconds == clock.seconds
    assert list(found.seconds) == ["patches", "infer", "regroup"]


def test_a_grid_is_made_as_a_spec_says():
    assert PatchGrid.of(64, Tiling(32, 0.5)) == PatchGrid(64, 32, 0.5)


def test_buffers_of_another_grid_are_freed():
    pool = BufferPool()
    with pool.lent(GRID) as first:
        pass
    other = PatchGrid(96, 32)
    with pool.lent(other) as second:
        assert second.grid == other
    with pool.lent(GRID) as third:
        assert third is not first
    with pool.lent(other) as fourth:
        assert fourth is not second


def test_a_square_smaller_than_a_patch_gives_the_same_map():
    def at_edges(patches, roi, probability):
        assert patches.shape[-1] == 96
        probability[:] = patches[:, 1:2] * roi

    prepared = prepare(drawn_retina()[0], PREPROCESSING)
    small = segment_square(prepared, TILING, Network(green_as_probability, INPUT))
    large = segment_square(prepared, Tiling(96), Network(at_edges, INPUT))
    np.testing.assert_array_equal(small.probability, large.probability)


def test_other_eyes_are_passed_on_without_a_map():
    eye = drawn_retina()[0]
    prepared = prepare(np.hstack([eye, eye]), PREPROCESSING)
    result = segment_square(prepared, TILING, Network(green_as_probability, INPUT), threshold=0.1)
    (other,) = result.unsegmented
    assert other.center_x == pytest.approx(eye.shape[1] + prepared.retina.disc.center_x, abs=1)
    assert result.vessels[:, : eye.shape[1]].any()
    assert not result.vessels[:, eye.shape[1] :].any()
