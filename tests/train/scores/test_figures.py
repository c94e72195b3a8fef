import cv2
import numpy as np

from retinagan.train.scores.figures import (
    MISSED,
    RIGHT,
    WRONG,
    draw_grid,
    draw_lines,
    draw_panel,
    draw_roc,
    error_map,
)
from retinagan.train.scores.metrics import Histogram


def picture(path):
    pixels = cv2.imread(str(path))
    assert pixels is not None, path
    return pixels[..., ::-1]


def shows(path, colour):
    return (np.abs(picture(path).astype(int) - colour).max(axis=2) <= 2).any()


def test_an_error_map_colours_what_is_found_false_and_missed():
    vessels, truth = np.array([[1, 1, 0, 0]], bool), np.array([[1, 0, 1, 0]], bool)
    assert error_map(vessels, truth).tolist() == [[list(RIGHT), list(WRONG), list(MISSED), [0, 0, 0]]]


def test_a_panel_shows_the_image_and_its_errors(tmp_path):
    image = np.full((60, 50, 3), (200, 90, 30), np.uint8)
    truth, probability = np.zeros((60, 50), bool), np.zeros((60, 50), np.float32)
    truth[10:20], probability[15:30] = True, 0.6
    draw_panel(image, truth, probability, 0.5, tmp_path / "panel.png")
    assert all(shows(tmp_path / "panel.png", colour) for colour in ((200, 90, 30), WRONG, MISSED))


def test_a_row_of_pictures_may_be_grey_or_coloured(tmp_path):
    row = {"grey": np.full((30, 40), 0.5, np.float32), "red": np.full((30, 40, 3), (255, 0, 0), np.uint8)}
    draw_grid([row, row], tmp_path / "grid.png")
    assert shows(tmp_path / "grid.png", (255, 0, 0))
    assert shows(tmp_path / "grid.png", (127, 127, 127))


def test_charts_draw_each_line_in_its_own_colour(tmp_path):
    random = np.random.default_rng(0)
    truth = random.random((40, 40)) < 0.2
    histogram = Histogram.of(np.clip(random.normal(0.3 + 0.3 * truth, 0.2), 0, 1), truth)
    draw_roc({"all": histogram, "again": histogram}, {"cut": [(0.7, 0.9)]}, tmp_path / "roc.png")
    draw_lines({"Acc": {"a": [0.9, 0.8], "b": [0.7, float("nan")]}}, ["1", "2"], tmp_path / "lines.png")
    assert shows(tmp_path / "roc.png", (0xD5, 0x5E, 0x00))
    assert shows(tmp_path / "lines.png", (0x00, 0x72, 0xB2))
