import http.client
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from drawn_retina import drawn_retina
from tiny_model import write_tiny_model

from retinagan.runtime import __version__
from retinagan.runtime.camera import cli
from retinagan.runtime.camera.cli import main
from retinagan.runtime.camera.window import Window


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_tiny_model(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A video of eight frames, the fourth of them black."""
    path = tmp_path_factory.mktemp("video") / "visit.avi"
    image = np.ascontiguousarray(drawn_retina(180, 200)[0][..., ::-1])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (200, 180))
    for number in range(8):
        writer.write(np.zeros_like(image) if number == 3 else image)
    writer.release()
    return path


@pytest.fixture
def here(tmp_path, monkeypatch, drawn) -> Path:
    """The working folder, with the video in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "visit.avi").write_bytes(drawn.read_bytes())
    return tmp_path


def names() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def frames_of(path):
    capture, frames = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return frames


@pytest.mark.parametrize("name", ["vessels.mp4", "vessels.avi"])
def test_a_video_becomes_a_video_with_the_vessels_drawn(here, capsys, model, name):
    assert main(["visit.avi", "--out", name, "--model", model, "--threads", "1"]) == 0
    before, after = frames_of("visit.avi"), frames_of(name)
    assert len(after) == 8
    _, lines = drawn_retina(180, 200)
    lines[150:] = lines[:30] = False  # what is written
    # the overlay is green: OpenCV's order is blue, green, red
    assert after[0][lines][:, 1].mean() > before[0][lines][:, 1].mean() + 40
    assert after[3][160:].max() > 150  # the black frame says what is wrong
    assert after[3][60:150].max() < 30
    assert names() == sorted(["visit.avi", name])
    first, header, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("8 frames: 7 segmented, 1 failed, 0 dropped; ")
    assert header.split() == ["ms", "p50", "p95", "p99"]
    assert last.startswith("failed: 1 frame: ")


def test_so_many_frames(here, capsys, model):
    assert main(["visit.avi", "--out", "vessels.avi", "--model", model, "--frames", "2", "--quiet"]) == 0
    assert len(frames_of("vessels.avi")) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")


def test_a_window_is_shown_where_there_can_be_one_unless_something_else_is_asked_for(
    here, model, monkeypatch
):
    shown = []
    monkeypatch.setattr(cv2, "currentUIFramework", lambda: "QT")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(Window, "show", lambda self, picture: shown.append(picture.shape) or len(shown) < 3)
    assert main(["visit.avi", "--model", model]) == 0
    assert shown == [(180, 200, 3)] * 3
    assert main(["visit.avi", "--model", model, "--out", "a.avi", "--frames", "1"]) == 0
    assert len(shown) == 3
    assert main(["visit.avi", "--model", model, "--out", "b.avi", "--frames", "1", "--window"]) == 0
    assert len(shown) == 4


def test_an_opencv_without_windows_says_what_else_there_is(here, model, capsys, monkeypatch):
    monkeypatch.setattr(cv2, "currentUIFramework", lambda: "")
    assert main(["visit.avi", "--model", model]) == 2
    assert capsys.readouterr().err == (
        "retina-watch: this OpenCV has no windows: write a video by --out FILE, or show a page by --serve "
        "PORT, or type  pip uninstall opencv-python-headless  and  pip install opencv-python\n"
    )


def test_frames_none_of_which_is_a_retina(here, model, capsys):
    writer = cv2.VideoWriter("black.avi", cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for _ in range(3):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    assert main(["black.avi", "--out", "o.avi", "--model", model]) == 1
    assert "3 frames: 0 segmented, 3 failed" in capsys.readouterr().out
    assert len(frames_of("o.avi")) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["visit.avi", "--out", "visit.avi", "--overwrite"],
            "--out 'visit.avi' is the source; choose another",
        ),
        (
            ["visit.avi", "--out", "vessels.mkv"],
            "--out 'vessels.mkv': expected a name that ends with .mp4 or",
        ),
        (["visit.avi", "--out", "none/o.mp4"], "--out 'none/o.mp4': its folder does not exist"),
        (["visit.avi", "--out", "o.mp4", "--model", "none.onnx"], "none.onnx"),
        (
            ["none.avi", "--out", "o.mp4"],
            "source 'none.avi': there is no such file; expected a camera's number",
        ),
        (["model.txt", "--out", "o.mp4"], "model.txt cannot be read as a video"),
        (
            ["visit.avi", "--serve", "70000"],
            "--serve: got 70000; expected a port, 0 to 65535; see retina-watch",
        ),
        (["visit.avi", "--out", "o.mp4", "--frames", "0"], "--frames: got 0; expected a whole number from 1"),
        (["visit.avi", "--overwrite"], "--overwrite needs --out"),
        (["visit.avi", "--host", "0.0.0.0"], "--host needs --serve"),
        (["visit.avi", "--serve", "0", "--host", "192.0.2.1"], "cannot listen at 192.0.2.1, port 0"),
        (["visit.avi", "--out", "o.mp4", "--policy", "some"], "argument --policy: invalid choice: 'some'"),
        ([], "the following arguments are required: SOURCE"),
    ],
)
def test_what_cannot_run_is_said_in_one_line(here, model, capsys, arguments, message):
    Path("model.txt").write_text("no video")
    assert main([*arguments, *([] if "--model" in arguments else ["--model", model])]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("retina-watch: ")
    assert message in error
    assert names() == ["model.txt", "visit.avi"]


def test_a_page_for_others_is_warned_of(here, model, capsys):
    command = ["visit.avi", "--serve", "0", "--host", "0.0.0.0", "--model", model, "--frames", "1"]
    assert main(command) == 0
    printed = capsys.readouterr()
    assert "warning: all who reach 0.0.0.0 can see the pictures; nothing asks for a password" in printed.err
    assert re.search(r"^retina-watch: http://0\.0\.0\.0:\d+/ \(Ctrl-C stops\)$", printed.out, re.M)


def test_version_and_help(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"retina-watch {__version__}\n"
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 100
    for line in re.findall(r"^  retina-watch (.*?)(?:  .*)?$", cli._EPILOG, re.M):
        assert cli._parsed(line.split()).source


def endless(folder: Path) -> str:
    """A script that starts retina-watch on a file that begins again at its end, as a camera would."""
    script = folder / "endless.py"
    script.write_text(
        "import sys\n"
        "from retinagan.runtime.camera import cli\n"
        "from retinagan.runtime.camera.sources import Frames\n"
        "once = Frames.__iter__\n"
        "def again(self):\n"
        "    while True:\n"
        "        yield from once(self)\n"
        "        self._open()\n"
        "Frames.__iter__ = again\n"
        "sys.exit(cli.main(sys.argv[1:]))\n"
    )
    return str(script)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_completes_the_video_and_prints_the_summary(here, model, number):
    command = [sys.executable, endless(here), "visit.avi", "--out", "o.avi", "--serve", "0", "--model", model]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        url = re.search(r"http://\S+", process.stdout.readline())[0]
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
        connection.request("GET", "/stream.mjpg")
        stream = connection.getresponse()
        while b"Content-Length" not in stream.fp.readline():
            pass
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, "")
    shown = int(re.search(r"(\d+) segmented", out)[1])
    assert "results/s" in out
    assert len(frames_of("o.avi")) >= 1
    assert shown >= 1
    assert names() == ["endless.py", "o.avi", "visit.avi"]
