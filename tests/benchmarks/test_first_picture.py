from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_model import tiny_spec, write_tiny_model

import retinagan.runtime.model.bundled as bundled

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def first_picture(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import first_picture

    return first_picture


def test_image_and_overlay_stand_side_by_side(first_picture):
    image, overlay = np.zeros((100, 200, 3), np.uint8), np.full((100, 200, 3), 7, np.uint8)
    drawn = first_picture.picture(image, overlay, 108)
    assert drawn.shape == (25, 108, 3)
    assert [int(drawn[10, column, 0]) for column in (10, 53, 90)] == [0, 255, 7]


def test_the_picture_is_written(first_picture, tmp_path, monkeypatch, capsys):
    write_tiny_model(tmp_path, tiny_spec(name="retina-gan", file="retina-gan.onnx"))
    monkeypatch.setattr(bundled, "_FOLDER", tmp_path)
    place = tmp_path / "eye.jpg"
    first_picture.main([str(ROOT / "examples" / "images" / "right_eye.jpg"), "--out", str(place)])
    assert cv2.imread(str(place)).shape[1] == first_picture.WIDTH
    assert capsys.readouterr().out.startswith(f"{place}: 1200x")
