import cv2
import numpy as np
import pytest
from camera import main
from drawn_retina import drawn_retina
from tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_tiny_model(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A video of eight frames, the fourth of them black."""
    path = tmp_path_factory.mktemp("video") / "visit.mp4"
    image = np.ascontiguousarray(drawn_retina(180, 200)[0][..., ::-1])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (200, 180))
    for number in range(8):
        writer.write(np.zeros_like(image) if number == 3 else image)
    writer.release()
    return path


def frames_of(path):
    capture = cv2.VideoCapture(str(path))
    frames = []
    while True:
        there, frame = capture.read()
        if not there:
            break
        frames.append(frame)
    capture.release()
    return frames


def test_a_video_becomes_a_video_with_the_vessels_drawn(tmp_path, capsys, model, video):
    out = tmp_path / "overlay.mp4"
    assert main([str(video), "--out", str(out), "--model", model, "--threads", "1"]) == 0
    before, after = frames_of(video), frames_of(out)
    assert len(after) == 8
    assert after[0].shape == (180, 200, 3)
    _, lines = drawn_retina(180, 200)
    lines[150:] = False  # the line of timings is there
    # the overlay is green: OpenCV's order is blue, green, red
    assert after[0][lines][:, 1].mean() > before[0][lines][:, 1].mean() + 40
    assert after[3][160:].max() > 150  # the black frame says what is wrong
    assert after[3][:150].max() < 30
    assert [path.name for path in tmp_path.iterdir()] == ["overlay.mp4"]
    first, header, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("8 frames: 7 segmented, 1 failed, 0 dropped; ")
    assert header.split() == ["ms", "p50", "p95", "p99"]


def test_so_many_frames(tmp_path, capsys, model, video):
    out = tmp_path / "overlay.mp4"
    assert main([str(video), "--out", str(out), "--model", model, "--frames", "2"]) == 0
    assert len(frames_of(out)) == 2


def test_a_window_where_opencv_has_one(tmp_path, capsys, monkeypatch, model, video):
    shown = []
    monkeypatch.setattr(cv2, "imshow", lambda name, picture: shown.append(picture.shape))
    monkeypatch.setattr(cv2, "waitKey", lambda milliseconds: ord("q") if len(shown) == 3 else -1)
    assert main([str(video), "--show", "--model", model]) == 0
    assert shown == [(180, 200, 3)] * 3


def test_no_window(monkeypatch, capsys, model, video):
    def no_window(name, picture):
        raise cv2.error("not implemented")

    monkeypatch.setattr(cv2, "imshow", no_window)
    with pytest.raises(SystemExit, match="this OpenCV has no windows: pip install opencv-python, or use"):
        main([str(video), "--show", "--model", model])


def test_what_cannot_be_opened(tmp_path, capsys, model, video):
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    with pytest.raises(SystemExit, match=r"OpenCV cannot read .*text.mp4 as a video; give a video file or a"):
        main([str(text), "--show", "--model", model])
    with pytest.raises(SystemExit, match="camera 99 cannot be opened; give a video file or a camera"):
        main(["99", "--show", "--model", model])
    with pytest.raises(SystemExit, match=r"o.mp4 cannot be written; name an .mp4 file in a folder"):
        main([str(video), "--out", str(tmp_path / "none" / "o.mp4"), "--model", model])
    assert main([str(video), "--show", "--model", str(tmp_path / "none.onnx")]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    with pytest.raises(SystemExit):
        main([str(video)])
    assert "give --out FILE.mp4, --show, or both" in capsys.readouterr().err
