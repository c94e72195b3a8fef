"""The program of the first page runs, and its table of extras is that of the package."""

import re
import sys
from pathlib import Path

import cv2
import pytest
from drawn_retina import drawn_retina
from tiny_model import tiny_spec, write_tiny_model

from retinagan.runtime.model import bundled

if sys.version_info >= (3, 11):
    import tomllib

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "get-started.md"


def test_the_program_runs(tmp_path, monkeypatch, capsys):
    write_tiny_model(tmp_path, tiny_spec(name="retina-gan", file="retina-gan.onnx"))
    monkeypatch.setattr(bundled, "_FOLDER", tmp_path)
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("scan.jpg", drawn_retina(180, 200)[0][..., ::-1].copy())
    code = re.search(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)[1]
    exec(compile(code, str(PAGE), "exec"), {})
    assert re.fullmatch(r"vessels cover \d+\.\d% of the retina\n", capsys.readouterr().out)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib came with Python 3.11")
def test_the_extras_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = PAGE.read_text(encoding="utf-8") + (ROOT / "README.md").read_text(encoding="utf-8")
    named = {name for extras in re.findall(r'"\.\[([\w,]+)\]"', text) for name in extras.split(",")}
    assert named
    assert named <= set(project["optional-dependencies"])
