"""`retina-watch` with a real RTSP server, GStreamer's, on loopback."""

import re
import subprocess
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_retina import drawn_retina
from tiny_model import write_tiny_model

from retinagan.runtime.camera import sources
from retinagan.runtime.camera.cli import main

SYSTEM_PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).parents[2] / "rtsp_server.py"
MODULES = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("rtsp") / "eye.jpg"
    cv2.imwrite(str(path), np.ascontiguousarray(drawn_retina(176, 208)[0][..., ::-1]))
    return path


@pytest.fixture(scope="module", autouse=True)
def gstreamer():
    if not Path(SYSTEM_PYTHON).is_file():
        pytest.skip(f"there is no {SYSTEM_PYTHON}")
    found = subprocess.run([SYSTEM_PYTHON, "-c", MODULES], capture_output=True, text=True)
    if found.returncode:
        pytest.skip(
            f"{found.stderr.splitlines()[-1]}; apt-get install python3-gi gir1.2-gst-rtsp-server-1.0 "
            "gstreamer1.0-plugins-base gstreamer1.0-plugins-good"
        )


@contextmanager
def serving(image: Path, port: int = 0):
    """Serve the image, and give the port."""
    command = [SYSTEM_PYTHON, str(SERVER), str(image), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield int(line), process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(write_tiny_model(tmp_path_factory.mktemp("model")))


def test_frames_come_by_rtsp(tmp_path, image, model, capsys):
    out = tmp_path / "eye.avi"
    with serving(image) as (port, _):
        url = f"rtsp://127.0.0.1:{port}/eye"
        assert main([url, "--out", str(out), "--model", model, "--frames", "5"]) == 0
    assert re.match(r"\d+ frames: [5-9] segmented, 0 failed", capsys.readouterr().out)
    there, frame = cv2.VideoCapture(str(out)).read()
    assert there
    assert frame.shape == (176, 208, 3)


def test_a_camera_that_is_lost_is_reached_again(image, model, capsys, monkeypatch):
    monkeypatch.setattr(sources, "_FIRST_PAUSE", 0.2)
    frames, said = None, []
    with serving(image) as (port, process):
        frames = sources.Frames(sources.Source.parse(f"rtsp://me:secret@127.0.0.1:{port}/eye"), said.append)
        coming = iter(frames)
        assert next(coming).shape == (176, 208, 3)
        process.kill()
        process.wait()
        with serving(image, port):
            seen = 0
            while "is back" not in " ".join(said):
                assert next(coming).shape == (176, 208, 3)
                seen += 1
                assert seen < 1000
            frames.stop()
    assert frames.losses == 1
    assert said[0] == f"rtsp://127.0.0.1:{port}/eye is lost; trying again in 0.2 s"


def test_an_address_without_a_camera(model, capsys, image, tmp_path):
    with serving(image) as (port, _):
        url = f"rtsp://me:secret@127.0.0.1:{port}/other"
        assert main([url, "--out", str(tmp_path / "o.avi"), "--model", model]) == 2
    err = capsys.readouterr().err
    assert err == (
        f"retina-watch: rtsp://127.0.0.1:{port}/other does not answer as a camera; check address, user and "
        "password\n"
    )
