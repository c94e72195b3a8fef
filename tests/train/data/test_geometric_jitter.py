import numpy as np
import pytest

from retinagan.train.data.geometric_jitter import GeometricJitter, Layers, cut_patch, flip_and_turn, window

BOX = (0, 0, 64, 64)


def numbers(seed=0):
    return np.random.default_rng(seed)


def layers(size=64, step=3):
    """Red counts columns, green rows; the ROI is everything; the truth a cross."""
    values = np.arange(size) * step
    image = np.zeros((size, size, 3), np.uint8)
    image[..., 0], image[..., 1] = values, values[:, None]
    truth = np.zeros((size, size), np.uint8)
    truth[size // 2] = truth[:, size // 2] = 255
    return Layers(image, np.full((size, size), 255, np.uint8), truth)


def test_unwarped_patches_are_pixels_of_the_image():
    source, random = layers(), numbers(3)
    pairs = set(map(tuple, source.image.reshape(-1, 3).tolist()))
    for _ in range(20):
        patch = cut_patch(source, BOX, 16, GeometricJitter(warped=0.0), random)
        assert patch.image.shape == (16, 16, 3)
        assert set(map(tuple, patch.image.reshape(-1, 3).tolist())) <= pairs


@pytest.mark.parametrize("warped", [0.0, 1.0])
def test_image_and_map_move_together(warped):
    source, random = layers(), numbers(1)
    source.image[..., 0] = source.truth  # the image shows the truth itself
    for _ in range(10):
        patch = cut_patch(source, BOX, 24, GeometricJitter(warped=warped), random)
        inside = patch.roi > 0
        difference = patch.image[..., 0].astype(int) - patch.truth
        assert np.abs(difference[inside]).max() < 90  # cubic and linear interpolation differ a little
        assert set(np.unique(patch.roi)) <= {0, 255}
        assert not patch.truth[~inside].any()
        assert not patch.image[~inside].any()


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_warped_patches_have_the_scale_asked_for(scale):
    source, random = layers(128, 2), numbers()
    for _ in range(5):
        patch = cut_patch(source, (32, 32, 96, 96), 16, GeometricJitter(1.0, (scale, scale)), random)
        steps = patch.image[8, 15].astype(float) - patch.image[8, 0]
        assert np.hypot(*steps[:2]) / 2 == pytest.approx(15 / scale, rel=0.06)


def test_a_patch_that_is_shrunk_keeps_its_share_of_vessel():
    random = numbers()
    truth = np.where(numbers(5).random((128, 128)) < 0.2, np.uint8(255), np.uint8(0))
    source = Layers(layers(128, 1).image, np.full((128, 128), 255, np.uint8), truth)
    patch = cut_patch(source, (0, 0, 128, 128), 32, GeometricJitter(1.0, (0.5, 0.5)), random)
    inside = patch.roi > 0
    assert patch.truth[inside].mean() == pytest.approx(truth.mean(), rel=0.1)
    assert patch.truth[inside].std() < 0.75 * truth.std(), "pixels are means of several"


def test_patches_hold_retina():
    source, random = layers(), numbers()
    source.roi[:] = 0
    source.roi[20:30, 20:30] = 255
    for _ in range(20):
        assert cut_patch(source, (20, 20, 30, 30), 16, GeometricJitter(), random).roi.any()


def test_a_patch_larger_than_the_image_is_filled_up():
    patch = window(layers(24), (0, 0, 24, 24), 32, numbers())
    assert patch.image.shape == (32, 32, 3)
    np.testing.assert_array_equal(patch.image[:24, :24], layers(24).image)
    assert not patch.roi[24:].any()
    assert not patch.roi[:, 24:].any()
    warped = cut_patch(layers(24), (0, 0, 24, 24), 32, GeometricJitter(1.0, (0.5, 0.5)), numbers())
    assert warped.roi.shape == (32, 32)
    assert warped.roi.any()


def test_flips_and_turns_give_all_eight_views():
    source, random = layers(8), numbers()
    views = {flip_and_turn(source, random).image.tobytes() for _ in range(100)}
    assert len(views) == 8
