import cv2
import numpy as np
import pytest

from retinagan.runtime.camera import sources
from retinagan.runtime.camera.sources import Frames, Source, SourceError
from retinagan.runtime.errors import OptionError


class FakeCapture:
    """A camera that gives the frames of a list; None is a loss, after which it must be opened again."""

    def __init__(self, *given: int | None, opens: tuple[bool, ...] = ()) -> None:
        self.given, self.opens = list(given), list(opens)
        self.opened: list[tuple] = []
        self.lost = False

    def open(self, *arguments: object) -> bool:
        self.opened.append(arguments)
        there = self.opens.pop(0) if self.opens else True
        self.lost = not there
        return there

    def read(self) -> tuple[bool, np.ndarray | None]:
        if self.lost or not self.given or (value := self.given.pop(0)) is None:
            return False, None
        return True, np.full((4, 6, 3), value, np.uint8)

    def get(self, what: int) -> float:
        return 12.5 if what == cv2.CAP_PROP_FPS else 0.0


@pytest.fixture
def camera(monkeypatch):
    """Puts a fake camera in place of OpenCV's, and takes no time for pauses."""

    def put(capture: FakeCapture) -> FakeCapture:
        monkeypatch.setattr(cv2, "VideoCapture", lambda: capture)
        return capture

    monkeypatch.setattr(sources, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(sources, "_LONGEST_PAUSE", 0.004)
    return put


def video(path, frames=6):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 12.5, (64, 48))
    for number in range(frames):
        writer.write(np.full((48, 64, 3), 40 * (number % 6), np.uint8))
    writer.release()
    return path


def test_what_names_a_source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "eye.avi").touch()
    assert Source.parse("2") == Source("camera", 2, "camera 2")
    assert Source.parse("/dev/null") == Source("camera", "/dev/null", "/dev/null")
    assert Source.parse("eye.avi") == Source("file", str(tmp_path / "eye.avi"), "eye.avi")
    url = "rtsp://user:secret@[::1]:8554/eye?token=secret"
    assert Source.parse(url) == Source("network", url, "rtsp://[::1]:8554/eye")
    assert [Source.parse(text).live for text in ("2", "eye.avi", url)] == [True, False, True]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("none.mp4", r"source 'none.mp4': there is no such file; expected a camera's number such as 0"),
        ("/", r"source '/' is a folder; expected a camera's number .*; retina-run takes folders of images"),
        ("", r"source '': there is no such file"),
        ("-1", r"source '-1': there is no such file"),
        ("http://user:secret@host/eye", r"source 'http://host/eye': expected .* or an rtsp:// URL"),
        ("rtsp:///eye", r"source 'rtsp:///eye': expected a camera's number"),
        ("rtsp://user:secret@host:99999/eye", r"source: malformed URL \(Port out of range"),
        ("rtsp://[::1/eye", r"source: malformed URL \(Invalid IPv6 URL\)"),
    ],
)
def test_what_names_none(text, message):
    with pytest.raises(OptionError, match=message) as caught:
        Source.parse(text)
    assert "secret" not in str(caught.value)


def test_a_file_gives_its_frames_and_ends(tmp_path):
    said = []
    frames = Frames(Source.parse(str(video(tmp_path / "eye.avi"))), said.append)
    assert frames.rate == 12.5
    found = list(frames)
    assert [frame.shape for frame in found] == [(48, 64, 3)] * 6
    assert found[5].mean() > found[1].mean() + 100
    assert said == []


def test_a_file_that_is_cut_off_is_said(tmp_path):
    path = video(tmp_path / "eye.avi", 60)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3])
    said = []
    found = list(Frames(Source.parse(str(path)), said.append))
    assert 0 < len(found) < 30
    (line,) = said
    assert line.startswith("warning: ")
    assert line.endswith(f"ends after {len(found)} of about 60 frames; it may be damaged")


def test_what_cannot_be_opened(tmp_path, camera):
    (tmp_path / "text.avi").write_text("no video")
    source = Source.parse(str(tmp_path / "text.avi"))
    with pytest.raises(
        SourceError, match=r"text.avi cannot be read as a video; expected one that OpenCV reads"
    ):
        Frames(source, print)
    camera(FakeCapture(opens=(False,)))
    with pytest.raises(SourceError, match="camera 99 cannot be opened; is it connected, and free"):
        Frames(Source.parse("99"), print)
    camera(FakeCapture(opens=(False,)))
    with pytest.raises(SourceError, match=r"^rtsp://host/eye does not answer as a camera; check address"):
        Frames(Source.parse("rtsp://user:secret@host/eye"), print)


def test_an_opencv_without_ffmpeg_reads_no_url(monkeypatch):
    monkeypatch.setattr(cv2.videoio_registry, "getStreamBackends", lambda: [cv2.CAP_V4L2])
    with pytest.raises(OptionError, match="this OpenCV was built without FFmpeg"):
        Frames(Source.parse("rtsp://host/eye"), print)


def test_each_kind_is_opened_by_what_reads_it(camera):
    capture = camera(FakeCapture())
    for text in ("1", "/dev/null", "rtsp://host/eye"):
        Frames(Source.parse(text), print)
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 10_000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 10_000]
    assert capture.opened == [(1,), ("/dev/null", cv2.CAP_V4L2), ("rtsp://host/eye", cv2.CAP_FFMPEG, limits)]


def test_a_camera_of_the_network_that_is_lost_is_opened_again(camera):
    capture = camera(FakeCapture(1, 2, None, 3, None, 4, opens=(True, False, False, False, True)))
    said = []
    frames = Frames(Source.parse("rtsp://user:secret@host/eye"), said.append)
    values = []
    for frame in frames:
        values.append(int(frame[0, 0, 0]))
        if values[-1] == 4:
            frames.stop()
    assert values == [1, 2, 3, 4]
    assert frames.losses == 2
    name = "rtsp://host/eye"
    lost = [f"{name} is lost; trying again in {pause:g} s" for pause in (0.001, 0.002, 0.004, 0.004)]
    assert said == [*lost, f"{name} is back", lost[0], f"{name} is back"]
    assert len(capture.opened) == 6


def test_a_stop_ends_the_pause_before_the_next_attempt(camera, monkeypatch):
    monkeypatch.setattr(sources, "_FIRST_PAUSE", 3600.0)
    camera(FakeCapture(1))
    frames = Frames(Source.parse("rtsp://host/eye"), lambda line: frames.stop())
    assert len(list(frames)) == 1


def test_a_camera_of_this_machine_that_is_lost_is_an_error(camera):
    camera(FakeCapture(1, 2))
    found = []
    with pytest.raises(SourceError, match="camera 0 gives no more frames; is it still connected"):
        found.extend(Frames(Source.parse("0"), print))
