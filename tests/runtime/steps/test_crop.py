import numpy as np
import pytest
from fundus_drawings import disc_mask

from retinagan.runtime.errors import ImageError
from retinagan.runtime.retina.disc import Disc
from retinagan.runtime.steps.crop import SquareCrop, square_crop


def centroid(array):
    rows, columns = np.mgrid[: array.shape[0], : array.shape[1]]
    return np.array([(rows * array).sum(), (columns * array).sum()]) / array.sum()


def blob(shape, y, x, sigma):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * sigma**2)).astype(np.float32)


@pytest.mark.parametrize("radius", [20, 20.4, 77.77, 100.5, 133])
@pytest.mark.parametrize(("x", "y"), [(150, 120), (149.5, 119.5), (150.3, 120.7), (12, 200), (-20, 120)])
def test_square_holds_the_whole_disc_and_is_centred_on_it(x, y, radius):
    crop = square_crop(Disc(x, y, radius), (250, 300), 128)
    assert 2 * radius <= crop.side <= 2 * radius + 2
    for start, center in ((crop.left, x), (crop.top, y)):
        assert abs(start + (crop.side - 1) / 2 - center) <= 0.5
        assert np.ceil(center - radius) >= start
        assert np.floor(center + radius) <= start + crop.side - 1


@pytest.mark.parametrize("working_size", [64, 100, 128, 201, 512])
def test_cut_then_restore_does_not_shift(working_size):
    shape = (210, 240)
    crop = square_crop(Disc(118.3, 101.8, 100), shape, working_size)
    wide = blob(shape, 90.25, 130.75, 9)
    restored = crop.restore(np.clip(crop.cut(wide), 0, 1))
    assert np.abs(centroid(restored) - centroid(wide)).max() < 0.02
    assert np.abs(restored - wide).max() < 0.06


def test_cut_puts_a_point_where_the_scale_says():
    crop = SquareCrop(left=-30, top=10, side=200, working_size=100, height=220, width=260)
    y, x = centroid(crop.cut(blob((220, 260), 110, 70, 6)))
    assert (y, x) == pytest.approx(((110 - 10 + 0.5) / 2 - 0.5, (70 + 30 + 0.5) / 2 - 0.5), abs=0.01)


def test_same_size_is_exact_both_ways():
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (90, 100, 3), dtype=np.uint8)
    crop = SquareCrop(left=20, top=-5, side=64, working_size=64, height=90, width=100)
    cut = crop.cut(image)
    np.testing.assert_array_equal(cut[5:], image[:59, 20:84])
    assert not cut[:5].any()
    probability = random.random((64, 64), dtype=np.float32)
    restored = crop.restore(probability)
    np.testing.assert_array_equal(restored[:59, 20:84], probability[5:])
    assert restored.sum() == pytest.approx(probability[5:].sum())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("working_size", [32, 200])
def test_cut_keeps_dtype_and_channels_and_a_constant(dtype, channels, working_size):
    image = np.full((100, 120, *channels), 77, dtype)
    crop = SquareCrop(left=10, top=10, side=80, working_size=working_size, height=100, width=120)
    cut = crop.cut(image)
    assert cut.shape == (working_size, working_size, *channels)
    assert cut.dtype == dtype
    np.testing.assert_allclose(cut, 77, rtol=1e-6)


def test_cut_pads_with_zeros_on_all_sides():
    image = np.full((40, 50, 3), 200, np.uint8)
    crop = SquareCrop(left=-25, top=-30, side=100, working_size=100, height=40, width=50)
    cut = crop.cut(image)
    assert (cut[30:70, 25:75] == 200).all()
    assert cut.sum(dtype=np.int64) == image.sum(dtype=np.int64)


def test_cut_mask_keeps_what_is_at_least_half_covered():
    mask = np.zeros((8, 8), bool)
    mask[:, :3] = True
    crop = SquareCrop(left=0, top=0, side=8, working_size=4, height=8, width=8)
    np.testing.assert_array_equal(crop.cut_mask(mask), np.tile([True, True, False, False], (4, 1)))


def test_cut_mask_keeps_area():
    mask = disc_mask(300, 300, 150, 150, 120)
    crop = square_crop(Disc(150, 150, 120), (300, 300), 128)
    share = crop.cut_mask(mask).sum() * (crop.side / 128) ** 2 / mask.sum()
    assert share == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize("working_size", [50, 300])
def test_restore_clips_and_leaves_zero_outside_the_square(working_size):
    crop = SquareCrop(left=30, top=40, side=100, working_size=working_size, height=200, width=220)
    probability = np.full((working_size, working_size), 1.25, np.float32)
    probability[: working_size // 2] = -0.5
    restored = crop.restore(probability)
    assert restored.dtype == np.float32
    assert restored.shape == (200, 220)
    assert restored.min() == 0
    assert restored.max() == 1
    outside = np.ones((200, 220), bool)
    outside[40:140, 30:130] = False
    assert not restored[outside].any()


def test_restore_does_not_change_its_input():
    crop = SquareCrop(left=0, top=0, side=10, working_size=10, height=10, width=10)
    probability = np.full((10, 10), 2, np.float32)
    crop.restore(probability)
    assert (probability == 2).all()


def test_wrong_sizes_are_named():
    crop = SquareCrop(left=0, top=0, side=10, working_size=16, height=10, width=12)
    with pytest.raises(
        ImageError,
        match=r"got an image \(12, 10, 3\); expected \(10, 12\) \(height, width\), the size that this crop",
    ):
        crop.cut(np.zeros((12, 10, 3), np.uint8))
    with pytest.raises(ImageError, match=r"got a map \(10, 12\); expected \(16, 16\)"):
        crop.restore(np.zeros((10, 12), np.float32))


def test_absurd_discs_are_refused_before_anything_is_allocated():
    with pytest.raises(ImageError, match="radius is 1000000 pixels in a frame of 300x200; expected at most"):
        square_crop(Disc(0, 0, 1e6), (200, 300), 512)
    with pytest.raises(
        ImageError,
        match=r"round \(900, 50\) lies outside the frame of 300x200; expected a disc that overlaps it",
    ):
        square_crop(Disc(900, 50, 100), (200, 300), 512)
