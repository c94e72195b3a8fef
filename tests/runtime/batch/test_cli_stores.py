"""`retina-run` from a store and to one: S3, by a server on this machine."""

import csv
import io
import json
from pathlib import Path

import pytest
from dicom_files import dicom_file
from drawn_retina import drawn_retina
from memory_store import encoded
from pydicom import dcmread
from s3_server import new_bucket, s3_server
from tiny_model import write_tiny_model

from retinagan.runtime.batch import progress
from retinagan.runtime.batch.cli import main
from retinagan.runtime.storage.store import store_of

IMAGES = {
    "a.png": encoded(drawn_retina()[0]),
    "sub/b c.jpg": encoded(drawn_retina(90, 100)[0], "JPEG"),
    "sub/deep/d.tif": encoded(drawn_retina(120, 120)[0], "TIFF"),
}
SAVE = ["--save", "overlay", "probability"]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(write_tiny_model(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def server():
    with s3_server() as address:
        yield address


@pytest.fixture
def bucket(server, tmp_path, monkeypatch) -> str:
    """A bucket with images in it, which are in the folder `scans` too; no progress is said."""
    monkeypatch.setattr(progress, "_FIRST_INTERVAL", 3600.0)
    monkeypatch.chdir(tmp_path)
    url = new_bucket()
    for name, content in IMAGES.items():
        store_of(url).write(f"{url}/scans/{name}", content)
        path = Path("scans", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return url


def objects(url: str) -> dict[str, bytes]:
    found = store_of(url).below(url)
    return {one.url[len(url) + 1 :]: store_of(url).read(one.url) for one in found}


def pictures(folder: str) -> dict[str, bytes]:
    paths = (path for path in Path(folder).rglob("*_*.*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def rows(content: bytes) -> dict[str, dict[str, str]]:
    return {row["path"]: row for row in csv.DictReader(io.StringIO(content.decode()))}


def test_maps_in_a_store_equal_those_in_a_folder(bucket, model, capsys):
    maps = f"{bucket}/maps"
    assert main([f"{bucket}/scans", "--out", maps, "--model", model, *SAVE]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.startswith("3 images: 3 done\n")
    assert said.out.endswith(f"report: {maps}/run.csv\n")
    assert main(["scans", "--model", model, *SAVE]) == 0
    found = objects(maps)
    report = rows(found.pop("run.csv"))
    assert len(found) == 9
    assert found == pictures("out")
    assert list(report) == list(IMAGES)
    for name, row in report.items():
        assert row["input_bytes"] == str(len(IMAGES[name]))
        assert float(row["input_modified"]) > 0
        assert float(row["seconds_read"]) > 0


def test_from_a_store_to_a_folder_and_back(bucket, model):
    assert main([f"{bucket}/scans/**/*.png", f"{bucket}/scans/sub", "--out", "maps", "--model", model]) == 0
    assert main(["scans", "--out", f"{bucket}/maps", "--model", model]) == 0
    found = objects(f"{bucket}/maps")
    report = rows(found.pop("run.csv"))
    assert found == pictures("maps")
    assert set(report) == set(rows(Path("maps/run.csv").read_bytes()))


def test_the_next_run_does_what_is_new(bucket, model, capsys):
    arguments = [f"{bucket}/scans", "--out", f"{bucket}/maps", "--model", model]
    assert main(arguments) == 0
    store_of(bucket).write(f"{bucket}/scans/e.png", IMAGES["a.png"])
    store_of(bucket).write(f"{bucket}/scans/a.png", IMAGES["a.png"] + b"\0")
    store_of(bucket).remove(f"{bucket}/maps/sub/b c_vessels.png")
    capsys.readouterr()
    assert main(arguments) == 0
    assert capsys.readouterr().out.startswith("4 images: 3 done, 1 kept from before\n")
    assert set(rows(objects(f"{bucket}/maps")["run.csv"])) == {*IMAGES, "e.png"}


def test_shards_of_a_store(bucket, model):
    arguments = [f"{bucket}/scans", "--out", f"{bucket}/maps", "--model", model]
    for number in (1, 2):
        assert main([*arguments, "--shard", f"{number}/2"]) == 0
    assert {"rows/run.1-of-2.csv", "rows/run.2-of-2.csv"} < set(objects(f"{bucket}/maps"))
    assert main(arguments) == 0
    found = objects(f"{bucket}/maps")
    assert len(rows(found.pop("run.csv"))) == 3
    assert sorted(found) == ["a_vessels.png", "sub/b c_vessels.png", "sub/deep/d_vessels.png"]


def test_measures_in_a_store_equal_those_in_a_folder(bucket, model, capsys):
    pytest.importorskip("skimage")
    maps, measured = f"{bucket}/maps", ["--model", model, "--measure", "--save", "segments"]
    for number in (1, 2):
        assert main([f"{bucket}/scans", "--out", maps, *measured, "--shard", f"{number}/2"]) == 0
    assert not {"measures.csv", "run.csv"} & {*objects(maps)}
    capsys.readouterr()
    assert main([f"{bucket}/scans", "--out", maps, *measured]) == 0
    assert capsys.readouterr().out.startswith("3 images: 0 done, 3 kept from before\n")
    assert main(["scans", *measured]) == 0
    found = objects(maps)
    assert values(found.pop("measures.csv")) == values(Path("out/measures.csv").read_bytes())
    del found["run.csv"]
    assert found == pictures("out")


def values(content: bytes) -> dict[str, dict[str, str]]:
    """Return the rows of a table of measures, without when they were taken and of which file."""
    by_name = rows(content)
    assert all(float(row["length_pixels"]) > 0 for row in by_name.values())
    stamp = ("finished", "input_modified")
    return {
        name: {key: cell for key, cell in row.items() if key not in stamp} for name, row in by_name.items()
    }


def test_images_that_fail_do_not_stop_the_rest(bucket, model, capsys):
    store_of(bucket).write(f"{bucket}/scans/empty.png", b"")
    store_of(bucket).write(f"{bucket}/scans/half.png", IMAGES["a.png"][:1000])
    assert main([f"{bucket}/scans", "--out", f"{bucket}/maps", "--model", model]) == 1
    report = rows(objects(f"{bucket}/maps")["run.csv"])
    assert {name for name, row in report.items() if row["status"] == "failed"} == {"empty.png", "half.png"}
    assert "empty.png: the file is empty (0 bytes)" in capsys.readouterr().err


def test_maps_may_stand_below_the_images(bucket, model, capsys):
    for _ in range(2):
        assert main([bucket, "--out", f"{bucket}/maps", "--model", model]) == 0
    said = capsys.readouterr().out
    assert said.count("3 images: ") == 2
    assert "skipped: 1 other file (run.csv), 3 pictures of earlier runs\n" in said


def test_json_lines_have_urls(bucket, model, capsys):
    assert main([f"{bucket}/scans/a.png", "--out", f"{bucket}/maps", "--model", model, "--json"]) == 0
    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert line["file"] == f"{bucket}/scans/a.png"
    assert line["pictures"] == {"vessels": f"{bucket}/maps/a_vessels.png"}


def test_a_url_may_follow_save(bucket, model):
    assert (
        main(["--save", "overlay", f"{bucket}/scans/a.png", "--out", f"{bucket}/maps", "--model", model]) == 0
    )
    assert "a_overlay.jpg" in objects(f"{bucket}/maps")


def test_dicom_results_of_objects(bucket, model):
    eye = dicom_file(drawn_retina()[0])
    store_of(bucket).write(f"{bucket}/scans/IM0001", eye)
    arguments = [f"{bucket}/scans", "--out", f"{bucket}/maps", "--model", model, "--save", "dicom-seg"]
    for kept in range(2):
        assert main(arguments) == 1
        found = objects(f"{bucket}/maps")
        report = rows(found["run.csv"])
        assert dcmread(io.BytesIO(found["IM0001_vessels.dcm"])).Modality == "SEG"
        assert {name for name, row in report.items() if row["status"] == "failed"} == set(IMAGES)
        assert "this is no DICOM file" in report["a.png"]["message"], kept
    assert main([bucket, "--out", "all", "--model", model]) == 0
    assert {*IMAGES, "IM0001"} == {
        name.removeprefix("scans/") for name in rows(Path("all/run.csv").read_bytes())
    }


def test_what_cannot_start_says_why(bucket, model, capsys):
    for arguments, message in (
        (
            ["s3://no-such-bucket/a"],
            "cannot list 's3://no-such-bucket/a' (The specified bucket does not exist)",
        ),
        ([f"{bucket}/scans", "--out", "s3://no-such-bucket/maps"], "cannot write to the output folder"),
        ([f"{bucket}/scans", "scans"], "inputs in several stores"),
        (["scans", "--watch", "--out", f"{bucket}/maps"], "--watch needs a folder of this machine for --out"),
        (["scans", "--report", "--out", f"{bucket}/maps"], "--report needs a folder of this machine for --o"),
        ([f"{bucket}/scans", "--watch"], "--watch needs folders of this machine; a store does not say when"),
    ):
        assert main([*arguments, "--model", model]) == 2
        said = capsys.readouterr()
        assert message in said.err
        assert len(said.err.splitlines()) == 1
