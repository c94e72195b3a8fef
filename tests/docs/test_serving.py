"""The commands and the program of the page about serving, run in the order in which they stand."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("fastapi", reason='retina-serve is not installed: pip install "retinagan[serve]"')

from serving_process import serving

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "serving.md"
NOT_RUN = "not run by a test"


def blocks() -> list[tuple[str, list[str]]]:
    """Give the indented blocks of the page: the paragraph before each, and its lines."""
    found, before = [], ""
    for paragraph in re.split(r"\n\n+", re.sub(r"```.*?```", "", PAGE.read_text("utf-8"), flags=re.DOTALL)):
        if paragraph.startswith("    "):
            found.append((before, [line.strip() for line in paragraph.splitlines()]))
        before = paragraph
    return found


RUN = [line for before, lines in blocks() if NOT_RUN not in before for line in lines]


def test_each_command_is_one_that_is_run():
    assert len(RUN) == 9
    assert {line.split()[0] for line in RUN} == {"retina-serve", "curl", "openssl", "retina-export"}


def test_the_page_names_every_option_of_its_own(capsys):
    from retinagan.runtime.serve.cli import main

    main(["--help"])
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", capsys.readouterr().out)) - {"--data-binary"}
    text = PAGE.read_text("utf-8")
    assert [option for option in sorted(options - {"--help", "--version"}) if f"{option}" not in text] == []


def test_the_page_names_every_path_and_metric():
    from retinagan.runtime.serve import application, metrics

    text = PAGE.read_text("utf-8").replace("NAME", "{name}")
    paths = re.findall(r'application\.\w+\("(/[^"]*)"', Path(application.__file__).read_text("utf-8"))
    assert len(paths) == 6
    assert [path for path in paths if f"{path}`" not in text] == []
    named = re.findall(
        r'self\._(?:counter|histogram|gauge)\("(\w+)"', Path(metrics.__file__).read_text("utf-8")
    )
    assert len(named) == 8
    assert [name for name in named if f"retina_serve_{name}" not in text] == []


@pytest.mark.server
def test_the_commands_and_the_program_run(tmp_path, monkeypatch):
    pytest.importorskip("tritonclient.http", reason='no client: pip install "tritonclient[http]"')
    for program in ("curl", "openssl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "examples" / "images" / "right_eye.jpg", "scan.jpg")
    first = RUN.index("retina-serve")
    second = next(number for number, line in enumerate(RUN) if line.startswith("retina-serve --host"))
    (export,) = (number for number, line in enumerate(RUN) if line.startswith("retina-export"))
    with serving(*RUN[first].split()[1:], "--threads", "1") as server:
        run(RUN[first + 1 : second - 1], server.port)
        check_pictures()
        check_program(server.port)
    run(RUN[second - 1 : second], 0)
    Path("overlay.jpg").unlink()
    with serving(*RUN[second].split()[1:], "--threads", "1") as server:
        run(RUN[second + 1 : export], server.port)
    assert cv2.imread("overlay.jpg").shape == (584, 565, 3)
    run(RUN[export:], 0)
    assert Path("models", "retina-gan", "1", "model.py").is_file()


def run(lines: list[str], port: int) -> None:
    """Run commands in a shell, with another port in place of 8000."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for line in lines:
        shown = line.replace("8000", str(port)).replace("curl", "curl --silent --show-error --fail")
        done = subprocess.run(
            ["sh", "-c", shown], capture_output=True, text=True, env={**os.environ, "PATH": path}
        )
        assert done.returncode == 0, (line, done.stderr)
        if "output=report" in line:
            assert json.loads(done.stdout)["width"] == 565
        if "metrics" in line:
            assert "retina_serve_images_total" in done.stdout


def check_pictures() -> None:
    assert cv2.imread("overlay.jpg").shape == (584, 565, 3)
    assert set(np.unique(cv2.imread("vessels.png", cv2.IMREAD_UNCHANGED))) == {0, 255}


def check_program(port: int) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    names: dict = {}
    exec(compile(code.replace("8000", str(port)), str(PAGE), "exec"), names)
    names["client"].close()
    vessels = cv2.imread("vessels.png", cv2.IMREAD_UNCHANGED) > 0
    np.testing.assert_array_equal(names["vessels"], vessels)
    assert names["report"]["status"] == ("warning" if names["doubts"] else "done")
