import csv
import io
import json
import sys
from pathlib import Path

import pytest
from drawn_retina import drawn_retina
from memory_store import empty_store
from PIL import Image
from tiny_model import write_tiny_model

from retinagan.runtime.batch.cli import main
from retinagan.runtime.storage.store import store_of


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(write_tiny_model(tmp_path_factory.mktemp("model")))


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """The working folder, with two images and a broken one in it."""
    pytest.importorskip("skimage")
    image, _ = drawn_retina()
    (tmp_path / "in/sub").mkdir(parents=True)
    for name in ("a.png", "sub/=b.png"):
        Image.fromarray(image).save(tmp_path / "in" / name)
    (tmp_path / "in/broken.png").write_bytes(b"hi")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows() -> dict[str, dict[str, str]]:
    with Path("out/measures.csv").open(newline="", encoding="utf-8") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def test_a_run_that_measures(here, model, capsys):
    command = ["in", "--model", model, "--measure", "--field-of-view", "50", "--json", "--quiet"]
    assert main(command) == 1
    first = {line["path"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    found = rows()
    assert set(found) == {"a.png", "sub/=b.png", "broken.png"}
    assert float(found["a.png"]["arc_over_chord"]) >= 1
    assert 0 < float(found["a.png"]["length_degrees"]) < float(found["a.png"]["length_pixels"])
    assert found["a.png"]["length_millimetres"] == ""
    assert found["broken.png"]["length_pixels"] == ""
    assert first["a.png"]["measures"]["length_pixels"] == pytest.approx(
        float(found["a.png"]["length_pixels"]), rel=1e-5
    )
    assert "measures" not in first["broken.png"]

    assert main(command) == 1  # resumes: what is measured is kept
    again = {line["path"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    assert [again[name]["kept"] for name in ("a.png", "sub/=b.png", "broken.png")] == [True, True, False]
    assert again["a.png"]["measures"]["junctions"] == first["a.png"]["measures"]["junctions"]
    assert rows().keys() == found.keys()


def test_measures_that_are_missing_are_taken(here, model, capsys):
    assert main(["in/a.png", "--model", model]) == 0
    assert not Path("out/measures.csv").exists()
    assert main(["in/a.png", "--model", model, "--measure"]) == 0
    assert rows()["a.png"]["length_pixels"]
    assert "1 image: 1 done" in capsys.readouterr().out


def test_an_image_that_is_done_again_without_measuring_has_no_old_measures(here, model):
    main(["in/a.png", "--model", model, "--measure", "--quiet"])
    main(["in/a.png", "--model", model, "--threshold", "0.1", "--quiet"])
    assert rows()["a.png"]["length_pixels"] == ""


def test_segments_are_a_table_for_each_image(here, model, capsys):
    assert main(["in/a.png", "--model", model, "--save", "segments", "--json"]) == 0
    path = json.loads(capsys.readouterr().out.splitlines()[0])["pictures"]["segments"]
    with Path(path).open(newline="", encoding="utf-8") as file:
        segments = list(csv.DictReader(file))
    assert path.endswith("out/a_segments.csv")
    assert [row["segment"] for row in segments] == [str(number + 1) for number in range(len(segments))]
    assert segments
    assert not Path("out/measures.csv").exists()
    main(["in/a.png", "--model", model, "--quiet"])  # its pictures are all there
    main(["in/a.png", "--model", model, "--quiet", "--overwrite"])
    assert not Path(path).exists()


def test_every_measure(here, model, capsys):
    assert main(["in/a.png", "--model", model, "--every-measure", "--quiet"]) == 0
    assert 0 < float(rows()["a.png"]["area_density"]) < 1
    assert 0 < float(rows()["a.png"]["box_dimension"]) < 2
    assert main(["in/a.png", "--model", model, "--measure"]) == 2
    assert "was written with --every-measure; give it alike" in capsys.readouterr().err


def test_measures_in_a_store(here, model, capsys):
    store, command = empty_store(), ["in/a.png", "in/sub", "--model", model, "--measure", "--json"]
    for kept in (False, True):
        assert main([*command, "--out", f"{store}/maps"]) == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [line["kept"] for line in lines] == [kept, kept]
        assert all(line["measures"]["length_pixels"] > 0 for line in lines)
    content = store_of(store).read(f"{store}/maps/measures.csv").decode()
    assert [row["path"] for row in csv.DictReader(io.StringIO(content))] == ["a.png", "sub/=b.png"]
    assert main([*command, "--out", f"{store}/maps", "--every-measure"]) == 2
    assert "measures.csv' was written without --every-measure; give it alike" in capsys.readouterr().err


def test_the_report_page_has_the_measures(here, model):
    assert main(["in/a.png", "--model", model, "--measure", "--report", "--quiet"]) == 0
    assert '"arc_over_chord"' in Path("out/report.html").read_text(encoding="utf-8")


def test_without_scikit_image_nothing_begins(here, model, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.morphology", None)
    assert main(["in", "--model", model, "--measure"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("retina-run: --measure: measuring needs scikit-image")
    assert said.endswith('pip install "retinagan[measure]"\n')
    assert not Path("out").exists()
    assert main(["in", "--model", model, "--save", "segments"]) == 2
    assert capsys.readouterr().err.startswith("retina-run: --save segments: measuring needs scikit-image")
