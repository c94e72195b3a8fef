import numpy as np
import pytest
import torch

from retinagan.train.data.augmentation import (
    ColourJitter,
    GeometricJitter,
    colour_pipeline,
    cut_patch,
    flip_and_turn,
    jitter_colours,
)

BOX = torch.tensor([0, 0, 64, 64])


def layers(size=64):
    """Red counts columns, green rows; the ROI is everything; the truth a cross."""
    values = torch.arange(size) / size
    truth = torch.zeros(size, size)
    truth[size // 2] = truth[:, size // 2] = 1.0
    columns, rows = values.expand(size, size), values[:, None].expand(size, size)
    return torch.stack([columns, rows, torch.zeros(size, size), torch.ones(size, size), truth])


def test_colours_change_but_type_and_shape_stay():
    image = np.random.default_rng(0).integers(40, 200, (32, 32, 3), np.uint8)
    pipeline = colour_pipeline(ColourJitter(probability=1.0))
    torch.manual_seed(0)
    first, second = jitter_colours(image, pipeline), jitter_colours(image, pipeline)
    assert first.dtype == np.uint8
    assert first.shape == image.shape
    assert (first != second).any()
    torch.manual_seed(0)
    np.testing.assert_array_equal(jitter_colours(image, pipeline), first)


def test_no_chance_leaves_the_colours():
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    pipeline = colour_pipeline(ColourJitter(probability=0.0))
    np.testing.assert_array_equal(jitter_colours(image, pipeline), image)


@pytest.mark.parametrize("factor", [0.0, 0.5, 3.0])
def test_colours_change_as_much_as_asked_for(factor):
    image = np.random.default_rng(0).integers(60, 180, (16, 16, 3), np.uint8)
    changes = []
    for jitter in (ColourJitter(probability=1.0), ColourJitter(probability=1.0).scaled(factor)):
        torch.manual_seed(0)
        pipeline = colour_pipeline(jitter)
        drawn = [jitter_colours(image, pipeline).astype(int) for _ in range(8)]
        changes.append(np.abs(np.array(drawn) - image).mean())
    assert (changes[1] > changes[0]) == (factor > 1.0)
    assert factor or changes[1] < 1.0


def test_the_usual_strength_is_the_usual_jitter():
    assert ColourJitter().scaled(1.0) == ColourJitter()


def test_unwarped_patches_are_pixels_of_the_image():
    source = layers()
    pairs = set(zip(source[0].flatten().tolist(), source[1].flatten().tolist(), strict=True))
    torch.manual_seed(3)
    for _ in range(20):
        patch = cut_patch(source, BOX, 16, GeometricJitter(warped=0.0))
        assert patch.shape == (5, 16, 16)
        assert set(zip(patch[0].flatten().tolist(), patch[1].flatten().tolist(), strict=True)) <= pairs


@pytest.mark.parametrize("warped", [0.0, 1.0])
def test_image_and_map_move_together(warped):
    source = layers()
    source[0] = source[4]  # the image shows the truth itself
    torch.manual_seed(1)
    for _ in range(10):
        patch = cut_patch(source, BOX, 24, GeometricJitter(warped=warped))
        inside = patch[3] > 0
        assert (patch[0] - patch[4])[
            inside
        ].abs().max() < 0.35  # cubic and linear interpolation differ a little
        assert patch.min() >= 0.0
        assert patch.max() <= 1.0


def test_warped_patches_have_the_scale_asked_for():
    # At a magnification of 2, a patch's 15 steps span 7.5 pixels of the image.
    torch.manual_seed(0)
    source = layers(128)
    for _ in range(5):
        patch = cut_patch(source, torch.tensor([32, 32, 96, 96]), 16, GeometricJitter(1.0, (2.0, 2.0)))
        span = torch.hypot(*(patch[channel, 8, 15] - patch[channel, 8, 0] for channel in (0, 1)))
        assert span.item() * 128 == pytest.approx(7.5, rel=0.02)


def test_patches_hold_retina():
    source = layers()
    source[3] = 0.0
    source[3, 20:30, 20:30] = 1.0
    torch.manual_seed(0)
    for _ in range(20):
        assert cut_patch(source, torch.tensor([20, 20, 30, 30]), 16, GeometricJitter())[3].any()


def test_flips_and_turns_give_all_eight_views():
    source = layers(8)[:2]
    torch.manual_seed(0)
    views = {tuple(flip_and_turn(source).flatten().tolist()) for _ in range(100)}
    assert len(views) == 8
