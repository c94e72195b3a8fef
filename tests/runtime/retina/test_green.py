import numpy as np
import pytest

from retinagan.runtime.retina.green import SIDE, eroded, small_green


@pytest.mark.parametrize("side", [100, 304, 608, 1001])
def test_green_and_mask_have_the_small_side(side):
    square = np.zeros((side, side, 3), np.uint8)
    square[..., 1] = np.linspace(0, 200, side)[None].astype(np.uint8)
    roi = np.zeros((side, side), np.bool_)
    roi[side // 2 :] = True
    green, inside = small_green(square, roi)
    assert (green.shape, green.dtype) == ((SIDE, SIDE), np.float32)
    assert (inside.shape, inside.dtype) == ((SIDE, SIDE), np.uint8)
    assert np.abs(green.mean(axis=0) - np.linspace(0, 200, SIDE)).max() < 3
    assert inside.mean() == pytest.approx(0.5, abs=0.01)


def test_erosion_counts_the_frames_edge_as_outside():
    mask = np.ones((9, 9), np.uint8)
    assert eroded(mask, 5).sum() == 25
