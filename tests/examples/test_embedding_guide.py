"""Every line of Python in the guide is run, in its order, in a folder with a picture and a video."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_retina import drawn_retina
from gated_engine import stream_threads
from tiny_model import tiny_spec, write_tiny_model

from retinagan.runtime.model import bundled

GUIDE = Path(__file__).parent.parent.parent / "docs" / "embedding.md"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to work in: `eye.png`, `visit.mp4` of five frames, and the tiny model as the bundled one."""
    write_tiny_model(tmp_path, tiny_spec(name="retina-gan", file="retina-gan.onnx"))
    monkeypatch.setattr(bundled, "_FOLDER", tmp_path)
    monkeypatch.chdir(tmp_path)
    image = np.ascontiguousarray(drawn_retina(180, 200)[0][..., ::-1])
    cv2.imwrite("eye.png", image)
    writer = cv2.VideoWriter("visit.mp4", cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (200, 180))
    for number in range(5):
        writer.write(np.zeros_like(image) if number == 2 else image)
    writer.release()
    return tmp_path


def test_the_guides_lines_run(folder, capsys):
    blocks = list(re.finditer(r"^```python\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.M | re.S))
    assert len(blocks) >= 7
    namespace: dict = {}
    for block in blocks:
        line = GUIDE.read_text(encoding="utf-8")[: block.start()].count("\n") + 1
        exec(compile("\n" * line + block[1], str(GUIDE), "exec"), namespace)
    printed = capsys.readouterr().out
    assert 0 < namespace["share"] < 1
    assert namespace["reason"].startswith("got shape (180, 200, 2)")
    assert "frame 2: the image is black" in printed
    assert re.search(r"^frame 4: \d+ pixels, \d+ ms$", printed, re.M)
    assert "5 frames: 4 segmented, 1 failed, 0 dropped" in printed
    assert printed.count("4 None\n") == 2  # by callback and in asyncio
    assert namespace["result"].vessels.any()
    assert stream_threads() == []
