import numpy as np
import pytest

from retinagan.runtime.batch.page.levels import TILE, half_by_mean, half_by_vote, levels_of


@pytest.mark.parametrize(
    ("height", "width", "sizes"),
    [
        (1, 1, [(1, 1)]),
        (960, 999, [(960, 999)]),
        (1024, 1024, [(1024, 1024)]),
        (1025, 30, [(1025, 30), (513, 15)]),
        (2336, 3504, [(2336, 3504), (1168, 1752), (584, 876)]),
    ],
)
def test_each_level_has_half_the_size_until_it_fits_into_a_tile(height, width, sizes):
    levels = levels_of(height, width)
    assert [(level.height, level.width) for level in levels] == sizes
    assert [level.number for level in levels] == list(range(len(sizes)))


def test_tiles_cover_a_level_once():
    level = levels_of(2100, 1030)[0]
    covered = np.zeros((2100, 1030), int)
    places = []
    for tile in level.tiles():
        covered[tile.part] += 1
        places.append((tile.column, tile.row))
        assert max(covered[tile.part].shape) <= TILE
    assert (covered == 1).all()
    assert places == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)]


@pytest.mark.parametrize("shape", [(6, 8), (5, 7), (1, 1), (1, 4), (3, 2)])
def test_halving_by_vote_holds_at_every_threshold(shape):
    values = np.random.default_rng(0).integers(0, 8, shape).astype(np.uint8)
    half = half_by_vote(values)
    padded = np.pad(values, ((0, shape[0] % 2), (0, shape[1] % 2)), "edge")
    assert half.shape == (padded.shape[0] // 2, padded.shape[1] // 2)
    for threshold in range(9):
        above = padded >= threshold
        votes = above[::2, ::2].astype(int) + above[1::2, ::2] + above[::2, 1::2] + above[1::2, 1::2]
        np.testing.assert_array_equal(half >= threshold, votes >= 2)


def test_a_line_of_one_pixel_stays_a_line_through_all_levels():
    values = np.zeros((64, 64), np.uint8)
    values[21] = 200
    for _ in range(4):
        values = half_by_vote(values)
        assert (values.max(axis=0) == 200).all()
        assert (values > 0).sum(axis=0).max() == 1


def test_halving_a_photograph_takes_means_and_rounds_sides_up():
    image = np.zeros((4, 6, 3), np.uint8)
    image[:2, :2] = [[[10, 0, 0], [20, 0, 0]], [[30, 0, 0], [40, 0, 4]]]
    half = half_by_mean(image)
    assert half.shape == (2, 3, 3)
    assert half[0, 0].tolist() == [25, 0, 1]
    assert half_by_mean(np.full((5, 3, 3), 7, np.uint8)).tolist() == np.full((3, 2, 3), 7).tolist()
