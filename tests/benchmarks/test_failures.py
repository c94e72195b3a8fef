from pathlib import Path

import cv2
import numpy as np
import pytest
from small_checkpoint import small_generator, write_checkpoint
from small_dataset import write_dataset

from retinagan.train.data.images import LabelledImage
from retinagan.train.scores.figures import MISSED, RIGHT, WRONG

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def failures(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import failures

    return failures


def test_the_worst_part_is_the_square_with_the_most_wrong_pixels(failures):
    wrong = np.zeros((20, 30), bool)
    wrong[2, 3], wrong[12:14, 20:22] = True, True
    rows, columns = failures.worst_part(wrong, 5)
    assert wrong[rows, columns].sum() == 4
    assert (rows.stop - rows.start, columns.stop - columns.start) == (5, 5)
    assert failures.worst_part(wrong, 99) == (slice(0, 20), slice(2, 22)), "no larger than the map"


def test_a_picture_has_photograph_expert_and_errors_side_by_side(failures):
    truth, vessels, fov = (np.zeros((100, 100), bool) for _ in range(3))
    fov[:] = True
    truth[40:50, 40:70], vessels[45:55, 40:70] = True, True
    image = LabelledImage("a", np.full((100, 100, 3), 90, np.uint8), truth, fov, None)
    drawn = failures.picture(failures.Failure(image, vessels, 0.5))
    assert drawn.shape == (failures.SIDE, 3 * failures.SIDE + 2 * failures.GAP, 3)
    photograph, expert, errors = (
        drawn[:, start : start + failures.SIDE].reshape(-1, 3)
        for start in range(0, drawn.shape[1], failures.SIDE + failures.GAP)
    )
    assert {tuple(pixel) for pixel in photograph.tolist()} == {(90, 90, 90)}
    assert 0.3 < (expert > 127).all(axis=1).mean() < 0.37, "10 of 30 rows are vessel"
    for colour in (RIGHT, WRONG, MISSED):
        near = (abs(errors.astype(int) - colour) < 40).all(axis=1)  # edges are smooth
        assert 0.13 < near.mean() < 0.2, "5 of 30 rows"


def test_the_image_of_the_lowest_dice_is_drawn(failures, tmp_path, capsys):
    eyes = write_dataset(tmp_path / "eyes", 1, 2)
    model = write_checkpoint(tmp_path / "net.pt", small_generator())
    assert failures.main([str(model), "--data", str(eyes), "--terms", "CC0", "--out", str(tmp_path)]) == 0
    place = tmp_path / "worst-net-eyes.jpg"
    printed = capsys.readouterr().out
    assert printed.startswith(f"{place}: 2")
    assert ", the lowest of 2" in printed
    assert cv2.imread(str(place)).shape[0] == failures.SIDE


@pytest.mark.parametrize("words", [[], ["--terms", "eyes=CC BY-NC 4.0"]])
def test_images_that_may_not_be_given_away_are_not_drawn(failures, tmp_path, capsys, words):
    eyes = write_dataset(tmp_path / "eyes", 1, 1)
    assert failures.main(["retina-gan", "--data", str(eyes), "--out", str(tmp_path), *words]) == 2
    told = capsys.readouterr().err
    assert "failures.py: --data eyes: its images may not be given away" in told
    assert "--terms 'eyes=...'" in told
    assert list(tmp_path.iterdir()) == [eyes]
