"""`retina-run --json`: a line on stdout for each image."""

import io
import json
import signal
from pathlib import Path

import numpy as np
from PIL import Image

from retinagan.runtime.batch.cli import main


def test_json_has_a_line_for_each_image_and_nothing_else_on_stdout(here, model, capsys):
    Path("in/empty.png").touch()
    image = np.array(Image.open("in/a.png"))
    Image.fromarray(np.hstack([image, image])).save("in/both.png")
    assert main(["in", "--model", model, "--save", "overlay", "--json"]) == 1
    said = capsys.readouterr()
    first = {line["path"]: line for line in map(json.loads, said.out.splitlines())}
    assert {name: line["status"] for name, line in first.items()} == {
        "a.png": "done",
        "b.jpg": "done",
        "both.png": "warning",
        "empty.png": "failed",
        "sub/c.tif": "done",
    }
    for line in first.values():
        assert sorted(line["pictures"]) == ([] if line["status"] == "failed" else ["overlay", "vessels"])
        assert all(Path(path).is_file() for path in [*line["pictures"].values(), line["file"]])
    assert "report: out/run.csv" in said.err.splitlines()
    assert main(["in", "--model", model, "--save", "overlay", "--json", "--quiet"]) == 1
    said = capsys.readouterr()
    again = {line["path"]: line for line in map(json.loads, said.out.splitlines())}
    kept = {name for name, line in again.items() if line["kept"]}
    assert kept == first.keys() - {"empty.png"}
    assert all(again[name] == first[name] | {"kept": True} for name in kept)
    assert again["empty.png"]["error"] == first["empty.png"]["error"]
    assert said.err == ""


def test_json_without_a_stdout_is_refused(here, model, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    assert main(["in", "--model", model, "--json"]) == 2
    assert capsys.readouterr().err == "retina-run: --json writes to stdout, which is closed\n"


def test_a_reader_that_goes_away_ends_a_run_with_json(here, model, capsys, monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Gone())
    assert main(["in", "--model", model, "--json", "--quiet"]) == 128 + signal.SIGPIPE
    assert capsys.readouterr().err == ""
