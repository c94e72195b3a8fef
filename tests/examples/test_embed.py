import runpy
import sys
from pathlib import Path

import cv2
from drawn_retina import drawn_retina
from tiny_model import tiny_spec, write_tiny_model

from retinagan.runtime.model import bundled

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "embed.py"


def test_the_lines_that_a_program_needs(tmp_path, monkeypatch, capsys):
    write_tiny_model(tmp_path, tiny_spec(name="retina-gan", file="retina-gan.onnx"))
    monkeypatch.setattr(bundled, "_FOLDER", tmp_path)
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("eye.png", drawn_retina()[0][..., ::-1])
    Path("text.png").write_text("no picture")
    monkeypatch.setattr(sys, "argv", ["embed.py", "text.png", "eye.png"])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("text.png: got None, which OpenCV returns where it cannot read a file")
    assert second.startswith("eye.png: vessels cover ")
    assert " ms by " in second
