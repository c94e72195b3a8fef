import numpy as np
import pytest

from retinagan.runtime.retina.green import SIDE, eroded, local_mean, small_green


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


def test_a_local_mean_is_that_of_the_masks_pixels_alone():
    values = np.arange(49, dtype=np.float32).reshape(7, 7)
    mask = np.zeros((7, 7), np.bool_)
    mask[3, 2:5] = True
    mean = local_mean(values, mask, 3)
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean[3, 3], values[3, 2:5].mean(), rtol=1e-5)
    np.testing.assert_allclose(mean[2, 1], values[3, 2], rtol=1e-5)
    assert not mean[:2].any()
