import io
import os

import cv2
import numpy as np
import pytest
from PIL import Image

from retinagan.runtime.batch.pictures import KINDS, is_own_picture, marked, picture_name


@pytest.fixture
def png() -> bytes:
    return cv2.imencode(".png", np.arange(12, dtype=np.uint8).reshape(3, 4))[1].tobytes()


def test_a_pictures_name():
    assert [picture_name("sub/a", kind) for kind in KINDS] == [
        "sub/a_vessels.png",
        "sub/a_probability.png",
        "sub/a_overlay.png",
    ]


def test_the_mark_is_a_text_that_any_reader_shows(png):
    with Image.open(io.BytesIO(marked(png))) as image:
        image.load()
        assert image.text == {"Software": "retina-run"}
        np.testing.assert_array_equal(image, np.arange(12).reshape(3, 4))


def test_a_picture_is_known_by_name_and_mark(tmp_path, png):
    for name, content, own in [
        ("a_vessels.png", marked(png), True),
        ("a_overlay.png", marked(png), True),
        ("a_probability.png", png, False),
        ("a.png", marked(png), False),
        ("b_vessels.png", b"", False),
    ]:
        (tmp_path / name).write_bytes(content)
        assert is_own_picture(tmp_path / name) is own
    assert not is_own_picture(tmp_path / "missing_vessels.png")


def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe_vessels.png")
    (tmp_path / "folder_vessels.png").mkdir()
    assert not is_own_picture(tmp_path / "pipe_vessels.png")
    assert not is_own_picture(tmp_path / "folder_vessels.png")
