import numpy as np
import pytest
from seams import border_ratio

from retinagan.runtime.errors import ModelError
from retinagan.runtime.steps.patches import PatchGrid

GRIDS = [
    PatchGrid(512, 128),
    PatchGrid(512, 128, 0.5),
    PatchGrid(512, 512),
    PatchGrid(512, 200, 0.3),
    PatchGrid(64, 24, 0.9),
    PatchGrid(65, 16, 0.25),
    PatchGrid(64, 63),
    PatchGrid(9, 1),
]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).random(shape, dtype=np.float32)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_split_then_regroup_gives_the_image_back_bit_for_bit(grid):
    image = noise(grid.size, grid.size)
    patches = grid.split(image)
    assert patches.shape == (len(grid), grid.side, grid.side)
    np.testing.assert_array_equal(grid.regroup(patches), image)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_blending_weights_sum_to_one(grid):
    total = np.zeros((grid.size, grid.size))
    for index, (top, left) in enumerate(grid.origins):
        row, column = divmod(index, len(grid.starts))
        weight = np.outer(grid.weights[row], grid.weights[column])
        assert weight.min() > 0
        total[top : top + grid.side, left : left + grid.side] += weight
    np.testing.assert_allclose(total, 1, rtol=0, atol=1e-14)


def test_the_papers_sixteen_patches_in_reading_order():
    grid = PatchGrid(512, 128)
    image = noise(512, 512, 3)
    patches = grid.split(image)
    assert patches.shape == (16, 128, 128, 3)
    assert grid.origins[:5].tolist() == [[0, 0], [0, 128], [0, 256], [0, 384], [128, 0]]
    np.testing.assert_array_equal(patches[6], image[128:256, 256:384])


def test_the_last_patch_is_shifted_inward():
    assert PatchGrid(300, 128).starts.tolist() == [0, 128, 172]
    assert PatchGrid(512, 128, 0.5).starts.tolist() == [0, 64, 128, 192, 256, 320, 384]


def test_split_keeps_dtype_and_copies():
    for dtype in (np.uint8, np.bool_, np.float32):
        image = np.zeros((16, 16), dtype)
        patches = PatchGrid(16, 8).split(image)
        assert patches.dtype == dtype
        patches[:] = 1
        assert not image.any()


def test_patches_without_a_roi_pixel_are_skipped():
    grid = PatchGrid(512, 128)
    rows, columns = np.mgrid[:512, :512]
    roi = np.hypot(rows - 200, columns - 200) < 100
    indices = grid.with_roi(roi)
    assert indices.tolist() == [1, 2, 4, 5, 6, 8, 9, 10]
    roi[511, 0] = True
    assert grid.with_roi(roi).tolist() == [1, 2, 4, 5, 6, 8, 9, 10, 12]


@pytest.mark.parametrize("grid", [PatchGrid(256, 64), PatchGrid(256, 64, 0.5)], ids=str)
def test_skipped_patches_change_no_pixel_of_the_roi(grid):
    rows, columns = np.mgrid[:256, :256]
    roi = np.hypot(rows - 90, columns - 140) < 70
    image, indices = noise(256, 256), grid.with_roi(roi)
    assert len(indices) < len(grid)
    regrouped = grid.regroup(grid.split(image, indices), indices)
    np.testing.assert_array_equal(regrouped[roi], image[roi])
    np.testing.assert_array_equal(grid.split(image, indices), grid.split(image)[indices])


def test_no_patch_at_all_gives_zeros():
    grid = PatchGrid(32, 16)
    none = np.array([], int)
    assert not grid.regroup(np.empty((0, 16, 16), np.float32), none).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((512, 0), "patch side 0; expected a whole number from 1"),
        ((512, 128, 0.95), "patch overlap 0.95 is out of range; expected 0 to 0.9"),
        ((512, 128, -0.1), "patch overlap -0.1 is out of range"),
        ((512, 128, float("nan")), "patch overlap nan is out of range"),
    ],
)
def test_a_grid_that_does_not_fit(arguments, message):
    with pytest.raises(ModelError, match=message):
        PatchGrid(*arguments)


def test_arrays_of_another_size():
    grid = PatchGrid(64, 32)
    with pytest.raises(ValueError, match=r"got an array of shape \(32, 64\); the grid cuts \(64, 64\)"):
        grid.split(np.zeros((32, 64)))
    with pytest.raises(
        ValueError, match=r"got patches of shape \(3, 32, 32\); the grid regroups \(4, 32, 32\)"
    ):
        grid.regroup(np.zeros((3, 32, 32), np.float32))
    with pytest.raises(ValueError, match=r"got a map of shape \(32, 64\); the grid regroups \(64, 64\)"):
        border_ratio(np.zeros((32, 64), np.float32), grid)


def with_patchwise_errors(grid: PatchGrid, image: np.ndarray) -> np.ndarray:
    """Regroup an image each of whose patches is off by a constant and by an error at its border."""
    generator = np.random.default_rng(5)
    offset = generator.uniform(-0.1, 0.1, (len(grid), 1, 1)).astype(np.float32)
    along = np.minimum(np.arange(grid.side), np.arange(grid.side)[::-1])
    from_border = np.minimum(along[:, None], along[None, :])
    fringe = generator.uniform(-0.2, 0.2, (len(grid), 1, 1)) * np.exp(-from_border / 3.0)
    return grid.regroup((grid.split(image) + offset + fringe).astype(np.float32))


def test_overlap_bounds_the_seams_that_patchwise_errors_leave():
    image = 0.5 + 0.02 * noise(512, 512)
    plain, blended = PatchGrid(512, 128), PatchGrid(512, 128, 0.5)
    assert border_ratio(with_patchwise_errors(plain, image), plain) > 3
    assert border_ratio(with_patchwise_errors(blended, image), blended) < 1.2


def test_border_ratio_by_hand():
    grid = PatchGrid(8, 4)
    steps = np.zeros((8, 8), np.float32)
    steps[:, 4:] = 1.0
    assert border_ratio(steps, grid) == np.inf
    ramp = np.tile(np.arange(8, dtype=np.float32), (8, 1))
    assert border_ratio(ramp, grid) == 1.0
    # At borders, in each of 8 rows: 1, 2, 1, and in each of 8 columns 0, 0, 0; elsewhere 1 and 0, four each.
    assert border_ratio(ramp + steps, grid) == pytest.approx((4 / 6) / (4 / 8))


def test_a_ridge_along_a_border_counts_as_a_seam():
    values = 0.5 + 0.01 * noise(64, 64)
    values[:, 31:33] += 0.3
    assert border_ratio(values, PatchGrid(64, 32)) > 10


def test_border_ratio_inside_a_roi():
    grid = PatchGrid(8, 4)
    values = noise(8, 8)
    values[:, 4:] += 10.0
    roi = np.zeros((8, 8), bool)
    roi[:, :4] = True
    assert border_ratio(values, grid) > 5
    assert border_ratio(values, grid, roi) < 3


def test_border_ratio_where_nothing_can_be_compared():
    constant = np.full((8, 8), 0.3, np.float32)
    assert border_ratio(constant, PatchGrid(8, 4)) == 1.0
    assert border_ratio(noise(8, 8), PatchGrid(8, 8)) == 1.0
    assert border_ratio(noise(8, 8), PatchGrid(8, 4), np.zeros((8, 8), bool)) == 1.0
