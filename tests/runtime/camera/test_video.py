import cv2
import numpy as np
import pytest

from retinagan.runtime.camera import video
from retinagan.runtime.camera.video import CODECS, VideoError, VideoFile
from retinagan.runtime.errors import OptionError


def picture(value: int, height=48, width=64) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def names(folder) -> list[str]:
    return [path.name for path in folder.iterdir()]


def values_of(path) -> list[int]:
    """The mean of each picture of a video, to 20."""
    capture, values = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        values.append(round(read[1].mean() / 20) * 20)
    return values


@pytest.mark.parametrize("suffix", CODECS)
def test_a_file_has_all_pictures_and_its_name_at_the_end(tmp_path, suffix):
    path = tmp_path / f"eye{suffix}"
    written = VideoFile(path, 10.0, paced=False)
    for value in (40, 120, 200):
        written.show(picture(value), 7.0)
    assert not path.exists()
    written.close()
    assert values_of(path) == [40, 120, 200]
    assert names(tmp_path) == [path.name]
    assert written.written == 3
    written.close()


def test_a_paced_video_runs_as_fast_as_its_pictures_came(tmp_path):
    written = VideoFile(tmp_path / "eye.avi", 10.0, paced=True)
    for value, at in ((40, 100.0), (80, 100.01), (120, 100.35), (160, 3700.0)):
        written.show(picture(value), at)
    written.close()
    # the second comes too soon, the third stands for the time that it took, the last for 10 seconds at most
    values = values_of(tmp_path / "eye.avi")
    assert values == [40, *[120] * 3, *[160] * 101]


def test_pictures_of_another_size_are_resized(tmp_path):
    written = VideoFile(tmp_path / "eye.avi", 10.0, paced=False)
    written.show(picture(40), 0.0)
    written.show(picture(120, 96, 128), 0.1)
    written.close()
    assert values_of(tmp_path / "eye.avi") == [40, 120]


def test_without_a_picture_there_is_no_file(tmp_path):
    VideoFile(tmp_path / "eye.avi", 10.0, paced=False).close()
    assert names(tmp_path) == []


def test_names_that_cannot_be(tmp_path):
    (tmp_path / "old.mp4").write_text("of another program")
    (tmp_path / "folder.mp4").mkdir()
    for name, message in (
        ("eye.mkv", "expected a name that ends with .mp4 or .avi"),
        ("eye", "expected a name that ends with"),
        ("none/eye.mp4", "its folder does not exist or cannot be written to"),
        ("old.mp4", "exists; choose another name, or replace it with --overwrite"),
    ):
        with pytest.raises(OptionError, match=message):
            VideoFile(tmp_path / name, 10.0, paced=False)
    with pytest.raises(OptionError, match=r"folder.mp4' exists"):
        VideoFile(tmp_path / "folder.mp4", 10.0, paced=False, overwrite=True)
    written = VideoFile(tmp_path / "old.mp4", 10.0, paced=False, overwrite=True)
    assert (tmp_path / "old.mp4").read_text() == "of another program"
    written.show(picture(80), 0.0)
    written.close()
    assert values_of(tmp_path / "old.mp4") == [80]


def test_a_file_that_cannot_be_read_back_is_not_left(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "_is_readable", lambda path: False)
    written = VideoFile(tmp_path / "eye.avi", 10.0, paced=False)
    written.show(picture(80), 0.0)
    with pytest.raises(VideoError, match=r"eye.avi' could not be written; is the disk full\?"):
        written.close()
    assert names(tmp_path) == []


def test_a_codec_that_opencv_lacks(tmp_path, monkeypatch):
    monkeypatch.setitem(CODECS, ".avi", "\0\0\0\0")
    with pytest.raises(
        VideoError, match=r"OpenCV cannot write .*eye.avi' with the codec .*; may its folder be written to\?"
    ):
        VideoFile(tmp_path / "eye.avi", 0.0, paced=False).show(picture(80), 0.0)
