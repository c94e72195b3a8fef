import cv2
import numpy as np
import pytest
from drawn_retina import drawn_retina
from small_checkpoint import small_generator, write_checkpoint

from retinagan.train.data.images import LabelledImage
from retinagan.train.paper.figures import draw_comparison, draw_progress


@pytest.fixture(scope="module")
def generator():
    return small_generator()


@pytest.fixture
def image():
    """A retina whose vessels lie at the lower right."""
    pixels, lines = drawn_retina(180, 180)
    truth = np.zeros_like(lines)
    truth[120:170, 120:170] = lines[120:170, 120:170]
    return LabelledImage("drawn", pixels, truth, np.ones(lines.shape, bool), None)


def panels(path):
    picture = cv2.imread(str(path))
    assert picture is not None, path
    return picture


def test_progress_shows_a_panel_for_each_model_on_the_way(tmp_path, generator, image):
    sizes = []
    for count in (1, 3):
        models = {
            number: write_checkpoint(tmp_path / f"{number}.pt", generator) for number in range(1, count + 1)
        }
        draw_progress(image, models, tmp_path / f"figure-{count}.png")
        sizes.append(panels(tmp_path / f"figure-{count}.png").shape)
    assert sizes[1][1] > 1.4 * sizes[0][1]


def test_the_comparison_has_a_row_for_each_image(tmp_path, generator, image):
    for name in ("ru-net-ace", "retina-gan-ace"):
        (tmp_path / name).mkdir()
        write_checkpoint(tmp_path / name / "model.pt", generator)
    sizes = []
    for count in (1, 2):
        draw_comparison([image] * count, tmp_path, tmp_path / f"figure-{count}.png")
        sizes.append(panels(tmp_path / f"figure-{count}.png").shape)
    assert sizes[1][0] > 1.6 * sizes[0][0]
    assert sizes[1][1] == pytest.approx(sizes[0][1], rel=0.1)
