import io

import numpy as np
import pytest
from PIL import Image

from retinagan.runtime.batch.overlay import VESSEL_COLOR
from retinagan.runtime.batch.page.pictures import (
    THUMBNAIL_NAME,
    eight_bit,
    map_tiles,
    photograph_tiles,
    threshold_level,
    thumbnail,
    tile_name,
)
from retinagan.runtime.batch.pictures import is_own_picture


def decoded(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.format == "WEBP"
        return np.array(picture)


@pytest.mark.parametrize(
    ("threshold", "level"), [(0.0, 1), (0.001, 1), (0.5, 128), (0.446967, 114), (1.0, 255)]
)
def test_a_threshold_has_a_level(threshold, level):
    assert threshold_level(threshold) == level


@pytest.mark.parametrize("threshold", [0.0, 0.003, 0.446967, 0.5, 0.9999, 1.0])
def test_eight_bits_keep_the_vessels_and_half_a_level(threshold):
    probability = np.random.default_rng(0).random((50, 60), np.float32)
    probability[0, :4] = [0.0, 1.0, threshold, np.nextafter(np.float32(threshold), np.float32(0))]
    roi = np.ones(probability.shape, bool)
    roi[:, :5] = False
    probability[~roi] = 0
    vessels = roi & (probability >= threshold)
    values = eight_bit(probability, vessels, threshold)
    assert values.dtype == np.uint8
    np.testing.assert_array_equal(values >= threshold_level(threshold), vessels)
    off = abs(values - 255 * probability.astype(np.float64))
    assert off.max() <= 1.5
    assert np.percentile(off, 98) <= 0.5001


def test_map_tiles_are_exact():
    values = np.random.default_rng(0).integers(0, 256, (30, 1100), dtype=np.uint8)
    tiles = {name: decoded(content) for name, content in map_tiles(values)}
    assert list(tiles) == ["0_0_0_map.webp", "0_1_0_map.webp", "1_0_0_map.webp"]
    whole = np.hstack([tiles["0_0_0_map.webp"], tiles["0_1_0_map.webp"]])
    np.testing.assert_array_equal(whole, np.repeat(values[:, :, None], 3, axis=2))
    assert tiles["1_0_0_map.webp"].shape == (15, 550, 3)


def test_photograph_tiles_are_near_the_photograph():
    rows, columns = np.mgrid[:40, :1100]
    image = np.stack([columns // 5, rows * 5, np.full_like(rows, 60)], axis=2).astype(np.uint8)
    tiles = {name: decoded(content) for name, content in photograph_tiles(image)}
    assert list(tiles) == ["0_0_0_photograph.webp", "0_1_0_photograph.webp", "1_0_0_photograph.webp"]
    whole = np.hstack([tiles["0_0_0_photograph.webp"], tiles["0_1_0_photograph.webp"]])
    assert abs(whole.astype(int) - image).mean() < 3


def test_a_thumbnail_is_small_and_shows_vessels():
    image = np.full((300, 600, 3), 90, np.uint8)
    vessels = np.zeros((300, 600), bool)
    vessels[:, 300:] = True
    plain, tinted = decoded(thumbnail(image, None)), decoded(thumbnail(image, vessels))
    assert plain.shape == tinted.shape == (80, 160, 3)
    assert abs(plain.astype(int) - 90).max() <= 3
    expected = 0.3 * 90 + 0.7 * np.array(VESSEL_COLOR)
    assert abs(tinted[20:60, 100:140].mean(axis=(0, 1)) - expected).max() < 6
    assert abs(tinted[20:60, 10:70].astype(int) - 90).max() <= 6


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (20, 30)])
def test_a_thumbnail_of_a_small_image_is_not_enlarged(shape):
    small = decoded(thumbnail(np.zeros((*shape, 3), np.uint8), np.zeros(shape, bool)))
    assert small.shape[:2] == (1, min(160, shape[1])) or small.shape[:2] == shape


def test_pictures_are_known_as_ours(tmp_path):
    """Else the next run, given the folder that holds them, would take them for images."""
    pictures = [*photograph_tiles(np.zeros((9, 7, 3), np.uint8)), *map_tiles(np.zeros((9, 7), np.uint8))]
    pictures.append((THUMBNAIL_NAME, thumbnail(np.zeros((9, 7, 3), np.uint8), None)))
    for name, content in pictures:
        (tmp_path / name).write_bytes(content)
        assert is_own_picture(tmp_path / name)
        (tmp_path / name).write_bytes(content[:40])
        assert not is_own_picture(tmp_path / name)


def test_a_picture_says_nothing_of_the_image_but_its_pixels():
    (_, content), *_ = map_tiles(np.zeros((9, 7), np.uint8))
    with Image.open(io.BytesIO(content)) as picture:
        assert set(picture.info) <= {"xmp", "background", "loop", "timestamp", "duration"}
        assert b"retina-run" in picture.info["xmp"]


def test_names_of_tiles():
    assert tile_name(2, 0, 13, "map") == "2_0_13_map.webp"
