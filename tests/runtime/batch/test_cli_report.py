"""`retina-run --report`: the page, its pictures, and what is kept of them."""

import csv
import json
from pathlib import Path

from PIL import Image

from retinagan.runtime.batch.cli import main


def shown(out: str = "out") -> dict[str, list]:
    """Give what report.html knows of the images."""
    text = Path(out, "report.html").read_text(encoding="utf-8")
    return json.loads(text.partition('id="data">')[2].partition("</script>")[0])["images"]


def picture_times(out: str = "out") -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in Path(out, "report").rglob("*.webp")}


def test_a_report_has_all_images_and_their_pictures(here, model, capsys):
    Path("in/bad.png").write_text("no image")
    assert main(["in", "--model", model, "--report"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "report: out/run.csv, out/report.html"
    assert shown()["name"] == ["a.png", "b.jpg", "bad.png", "sub/c.tif"]
    assert shown()["pictures"] == [2, 2, 0, 2]
    assert len(picture_times()) == 9


def test_a_report_resumes_like_other_pictures(here, model):
    assert main(["in", "--model", model]) == 0
    assert main(["in", "--model", model, "--report"]) == 0  # the pictures are missing
    before, vessels = picture_times(), Path("out/a_vessels.png").stat().st_mtime_ns
    assert len(before) == 9
    Path("out/report.html").unlink()
    assert main(["in", "--model", model, "--report"]) == 0
    assert picture_times() == before
    assert Path("out/a_vessels.png").stat().st_mtime_ns == vessels
    assert shown()["pictures"] == [2, 2, 2]
    Image.open("in/a.png").rotate(5).save("in/a.png")
    assert main(["in", "--model", model, "--report"]) == 0
    changed = {path for path, when in picture_times().items() if before[path] != when}
    assert len(changed) == 3
    assert main(["in", "--model", model, "--report", "--overwrite"]) == 0
    assert all(before[path] != when for path, when in picture_times().items())


def test_an_image_done_again_without_a_report_takes_it_away(here, model):
    assert main(["in", "--model", model, "--report"]) == 0
    assert main(["in", "--model", model]) == 0  # nothing is done again
    assert Path("out/report.html").exists()
    Image.open("in/a.png").rotate(5).save("in/a.png")
    assert main(["in", "--model", model]) == 0
    assert not Path("out/report.html").exists()
    assert len(picture_times()) == 6


def test_the_pictures_of_a_report_are_no_inputs(here, model, capsys):
    assert main(["in", "--model", model, "--out", "in/maps", "--report"]) == 0
    assert main(["in", "--model", model, "--out", "in/maps", "--report"]) == 0
    assert "3 images: 0 done, 3 kept from before\nskipped: " in capsys.readouterr().out


def test_names_can_be_hidden(here, model):
    assert main(["in", "--model", model, "--report", "--report-names", "hash"]) == 0
    with Path("out/report-names.csv").open(newline="", encoding="utf-8") as file:
        names = {row["name"]: row["path"] for row in csv.DictReader(file)}
    assert sorted(names.values()) == ["a.png", "b.jpg", "sub/c.tif"]
    assert (
        sorted(shown()["name"]) == sorted(names) == sorted(path.name for path in Path("out/report").iterdir())
    )
    given_away = Path("out/report.html").read_bytes() + b"".join(
        path.read_bytes() if path.is_file() else bytes(path) for path in Path("out/report").rglob("*")
    )
    assert b"c.tif" not in given_away
    assert b"b.jpg" not in given_away


def test_a_file_that_is_in_the_way_of_a_report_is_kept(here, model, capsys):
    Path("out").mkdir()
    Path("out/report.html").write_text("mine")
    assert main(["in", "--model", model, "--report"]) == 2
    assert capsys.readouterr().err == (
        "retina-run: 'out/report.html' is not from retina-run; move it away, choose another --out, "
        "or replace it with --overwrite\n"
    )
    assert main(["in", "--model", model, "--report", "--overwrite"]) == 0
    assert shown()["name"] == ["a.png", "b.jpg", "sub/c.tif"]


def test_names_of_a_report_need_a_report(here, model, capsys):
    assert main(["in", "--model", model, "--report-names", "hash"]) == 2
    assert "--report-names needs --report" in capsys.readouterr().err
