import os

import cv2
import numpy as np
import pytest

from retinagan.runtime.batch.encoding import ENCODERS, encode_png
from retinagan.runtime.batch.pictures import (
    KINDS,
    OBJECTS,
    OVERLAY_FORMATS,
    SEGMENTS_HEAD,
    is_own_picture,
    objects_among,
    picture_name,
    picture_names,
)
from retinagan.runtime.dicom.mark import IMPLEMENTATION_CLASS_UID

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4)


def test_objects_are_told_from_pictures():
    assert objects_among(KINDS) == tuple(OBJECTS)
    assert objects_among(["vessels", "overlay"]) == ()


@pytest.fixture
def png() -> bytes:
    return cv2.imencode(".png", np.arange(12, dtype=np.uint8).reshape(3, 4))[1].tobytes()


def own_object() -> bytes:
    return b"\0" * 128 + b"DICM\2\0\x12\0UI" + IMPLEMENTATION_CLASS_UID.encode()


def test_a_pictures_name():
    assert [picture_name("sub/a", kind) for kind in KINDS] == [
        "sub/a_vessels.png",
        "sub/a_probability.png",
        "sub/a_overlay.jpg",
        "sub/a_panel.jpg",
        "sub/a_segments.csv",
        "sub/a_vessels.dcm",
        "sub/a_probability.dcm",
        "sub/a_overlay.dcm",
        "sub/a_report.dcm",
    ]
    assert picture_name("a", "overlay", "webp") == "a_overlay.webp"
    assert picture_name("a", "panel", "png") == "a_panel.png"
    assert picture_name("a", "vessels", "webp") == "a_vessels.png"
    assert picture_name("a", "dicom-overlay", "png") == "a_overlay.dcm"
    assert picture_names("a", "vessels") == ["a_vessels.png"]
    assert picture_names("a", "dicom-seg") == ["a_vessels.dcm"]
    assert picture_names("a", "overlay") == ["a_overlay.jpg", "a_overlay.webp", "a_overlay.png"]


def test_a_picture_is_known_by_name_and_mark(tmp_path, png):
    for name, content, own in [
        ("a_vessels.png", encode_png(GREY), True),
        ("a_overlay.png", encode_png(GREY), True),
        ("a_probability.png", png, False),
        ("a.png", encode_png(GREY), False),
        ("b_vessels.png", b"", False),
        ("b_overlay.webp", b"RIFF", False),
        ("a_segments.csv", SEGMENTS_HEAD + b"length_pixels\n", True),
        ("b_segments.csv", b"segment,length\n", False),
        ("a.csv", SEGMENTS_HEAD, False),
        ("a_vessels.dcm", own_object(), True),
        ("a.dcm", own_object(), False),
        ("a_report.dcm", own_object()[:100], False),
        ("a_overlay.dcm", b"\0" * 128 + b"DICM" + bytes(400), False),
    ]:
        (tmp_path / name).write_bytes(content)
        assert is_own_picture(tmp_path / name) is own
    assert not is_own_picture(tmp_path / "missing_vessels.png")


@pytest.mark.parametrize("size", [(3, 4), (16, 17), (37, 51)])
@pytest.mark.parametrize("suffix", OVERLAY_FORMATS.values())
def test_an_overlay_is_known_in_every_format(tmp_path, suffix, size):
    overlay = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    path = tmp_path / f"a_overlay{suffix}"
    path.write_bytes(ENCODERS[suffix](overlay))
    assert is_own_picture(path)
    assert cv2.imwrite(str(path), overlay)
    assert not is_own_picture(path)


def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe_vessels.png")
    (tmp_path / "folder_vessels.png").mkdir()
    assert not is_own_picture(tmp_path / "pipe_vessels.png")
    assert not is_own_picture(tmp_path / "folder_vessels.png")
