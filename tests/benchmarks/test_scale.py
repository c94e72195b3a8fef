import json
import shutil
import sys
from pathlib import Path

import pytest
from small_dataset import write_dataset
from tiny_model import tiny_spec, write_tiny_model

from retinagan.runtime.model.parameters import Preprocessing, Tiling

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.fixture
def scale(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import scale

    return scale


@pytest.fixture
def model(tmp_path) -> str:
    """A model of 1 pixel a degree, which takes whole squares."""
    spec = tiny_spec(preprocessing=Preprocessing("none", 5.0, pixels_per_degree=1.0), tiling=Tiling(None))
    return str(write_tiny_model(tmp_path, spec))


@pytest.fixture
def data(tmp_path) -> str:
    return str(write_dataset(tmp_path / "drawn"))


def run(scale, monkeypatch, *words) -> None:
    monkeypatch.setattr(sys, "argv", ["scale.py", *words, "--threads", "1"])
    scale.main()


def test_the_tables_and_what_is_kept(scale, model, data, tmp_path, monkeypatch, capsys):
    kept = tmp_path / "scale.json"
    words = [model, "--data", data, "--sizes", "64", "96", "--wrong", "0.67", "1", "1.5", "--json", str(kept)]
    words += ["--densities", "1", "2"]
    run(scale, monkeypatch, *words)
    printed = capsys.readouterr().out
    assert "| dataset | size 64 | size 96 |" in printed
    assert "| dataset | own scale | angle x 0.67 | angle x 1 | angle x 1.5 | angle assumed |" in printed
    assert "| dataset | density 1 | density 2 |" in printed
    figures = json.loads(kept.read_text())["figures"]
    assert figures["drawn, density 1"] == figures["drawn, own scale"]
    assert (figures["drawn, density 2"]["size"], figures["drawn, density 2"]["images"]) == (96, 2)
    assert figures["drawn, own scale"] == figures["drawn, angle x 1"] == figures["drawn, angle assumed"]
    assert figures["drawn, own scale"]["size"] == 64
    assert figures["drawn, own scale"]["density"] == pytest.approx(1.0, rel=0.02)
    assert figures["drawn, angle x 1.5"]["size"] == 96
    assert figures["drawn, size 64"]["density"] == pytest.approx(64 / 45, rel=0.02)
    assert {figure["images"] for figure in figures.values()} == {2}
    monkeypatch.setattr(scale.Scale, "figure", None)  # whoever measures again fails
    run(scale, monkeypatch, *words)
    assert capsys.readouterr().out == printed


def test_a_run_that_was_stopped_goes_on(scale, model, data, tmp_path, monkeypatch, capsys):
    kept = tmp_path / "scale.json"
    words = [model, "--data", data, "--sizes", "64", "96", "--wrong", "--json", str(kept)]
    figure, calls = scale.Scale.figure, []

    def stopped(self, case, samples):
        calls.append(case.key)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return figure(self, case, samples)

    monkeypatch.setattr(scale.Scale, "figure", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(scale, monkeypatch, *words)
    run(scale, monkeypatch, *words)
    assert calls == ["size 64", "size 96", "size 96", "own scale", "angle assumed"]


def test_a_file_of_other_images_is_not_gone_on_with(scale, model, data, tmp_path, monkeypatch):
    kept = tmp_path / "scale.json"
    run(scale, monkeypatch, model, "--data", data, "--sizes", "64", "--wrong", "--json", str(kept))
    with pytest.raises(SystemExit, match=r"scale\.json is of another model or other images; name another"):
        run(scale, monkeypatch, model, "--data", data, "--images", "1", "--json", str(kept))


def test_a_model_of_one_size_has_a_density_if_it_is_given_one(scale, data, tmp_path, monkeypatch, capsys):
    model = str(write_tiny_model(tmp_path))
    words = ["--data", data, "--sizes", "--wrong", "1.5"]
    run(scale, monkeypatch, model, *words)
    assert "| dataset | own scale |\n" in capsys.readouterr().out
    run(scale, monkeypatch, model, *words, "--density", "2")
    assert "| dataset | own scale | angle x 1.5 | angle assumed |\n" in capsys.readouterr().out


def test_a_dataset_without_an_angle_has_no_density(scale, model, data, tmp_path, monkeypatch, capsys):
    plain = tmp_path / "plain"
    for name, folder in (("images", "images"), ("labels", "1st_manual")):
        (plain / "test" / name).mkdir(parents=True)
        for path in (Path(data) / "test" / folder).iterdir():
            shutil.copy(path, plain / "test" / name / f"{path.name[:2]}{path.suffix}")
    run(scale, monkeypatch, model, "--data", str(plain), "--sizes", "--wrong", "--images", "1")
    assert "/degree" not in capsys.readouterr().out


def test_wrong_use_is_explained(scale, model, data, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(scale, monkeypatch, model, "--data", data, "--images", "0")
    assert "--images 0: expected 1 or more" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="nowhere is not a folder"):
        run(scale, monkeypatch, model, "--data", "nowhere")
