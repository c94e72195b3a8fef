import csv
import os
from pathlib import Path

import pytest

from retinagan.runtime.batch.outputs import OutputError, OutputFolder
from retinagan.runtime.batch.report import Report
from retinagan.runtime.batch.row import DONE, FAILED, STAGES, Row
from retinagan.runtime.batch.settings import Settings, Stamp
from retinagan.runtime.batch.shard import Shard
from retinagan.runtime.warnings import ImageWarning

SETTINGS = Settings("ONNX Runtime 1, CPU", "tiny", "ab" * 32, 0.4, 0.25, "0.1.0", "0123456789abcdef")
STAMP = Stamp("1000", "1700000000.000000001", SETTINGS.model_sha256, SETTINGS.digest)


def row(path: str, status: str = DONE, **changes) -> Row:
    return Row(**({"path": path, "status": status, "message": "", "output": path, "stamp": STAMP} | changes))


@pytest.fixture
def folder(tmp_path):
    with OutputFolder(tmp_path) as folder:
        yield folder


def write(folder: OutputFolder, *rows: Row) -> Path:
    with Report(folder, SETTINGS) as report:
        for one in rows:
            report.append(one)
    return report.path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def test_a_row_tells_all(folder):
    full = row(
        "sub/a.png",
        output="sub/a",
        width=565,
        height=584,
        field_of_view=45.0,
        field_of_view_from="given",
        working_size=832,
        roi_share=0.6912345,
        threshold=0.4,
        vessel_density=0.125,
        confidence=0.8123456,
        pixel_spacing=(0.0051234567, 0.005),
        laterality="L",
        sop_instance_uid="1.2.840.1",
        seconds=dict.fromkeys(STAGES, 0.5),
        finished="2026-01-31T12:00:00.000000Z",
    )
    (found,) = read(write(folder, full))
    assert found == {
        "path": "sub/a.png",
        "status": "done",
        "message": "",
        "warnings": "",
        "width": "565",
        "height": "584",
        "field_of_view": "45",
        "field_of_view_from": "given",
        "working_size": "832",
        "row_spacing": "0.00512346",
        "column_spacing": "0.005",
        "laterality": "L",
        "sop_instance_uid": "1.2.840.1",
        "roi_share": "0.69123",
        "vessel_density": "0.12500",
        "confidence": "0.81235",
        **{f"seconds_{stage}": "0.50000" for stage in STAGES},
        "seconds_total": "4.00000",
        "finished": "2026-01-31T12:00:00.000000Z",
        "engine": "ONNX Runtime 1, CPU",
        "model": "tiny",
        "model_sha256": "ab" * 32,
        "threshold": "0.4",
        "threshold_from": "fixed",
        "overlap": "0.25",
        "version": "0.1.0",
        "output": "sub/a",
        "input_bytes": "1000",
        "input_modified": "1700000000.000000001",
        "settings": "0123456789abcdef",
    }


def test_what_a_failed_image_has_not_is_empty(folder):
    (found,) = read(write(folder, row("a.png", FAILED, message="the file is empty", seconds={"read": 0.25})))
    assert found["message"] == "the file is empty"
    assert found["seconds_read"] == found["seconds_total"] == "0.25000"
    assert {found[name] for name in ("width", "height", "roi_share", "threshold", "seconds_infer")} == {""}


def test_a_later_run_knows_what_is_done(folder):
    write(folder, row("a.png", output="a"), row("b.png", FAILED))
    with Report(folder, SETTINGS) as report:
        assert report.is_done("a.png", "a", STAMP)
        assert not report.is_done("b.png", "b.png", STAMP)
        assert not report.is_done("c.png", "c.png", STAMP)
        assert not report.is_done("a.png", "a.png", STAMP)
        for name in Stamp._fields:
            assert not report.is_done("a.png", "a", STAMP._replace(**{name: "other"}))


def test_the_last_row_of_an_image_says_whether_it_is_done(folder):
    path = write(folder, row("a.png", FAILED), row("b.png"), row("a.png", DONE))
    assert [(found["path"], found["status"]) for found in read(path)] == [
        ("b.png", "done"),
        ("a.png", "done"),
    ]
    with Report(folder, SETTINGS) as report:
        assert report.is_done("a.png", "a.png", STAMP)


NEGATIVE = ImageWarning("negative", "vessels are bright")
DENSE = ImageWarning("density-implausible", "half of it is vessel")


def test_warnings_are_codes_in_one_column_and_sentences_in_the_message(folder):
    (found,) = read(write(folder, row("a.png").doubted([NEGATIVE, DENSE, NEGATIVE])))
    assert found["status"] == "warning"
    assert found["warnings"] == "negative density-implausible"
    assert found["message"] == "vessels are bright | half of it is vessel"


def test_an_image_with_warnings_is_done_and_known_to_be_in_doubt(folder):
    write(folder, row("a.png").doubted([NEGATIVE]), row("b.png"), row("c.png", FAILED))
    with Report(folder, SETTINGS) as report:
        assert report.is_done("a.png", "a.png", STAMP)
        assert not report.is_done("a.png", "a.png", STAMP._replace(settings="other"))
        assert [report.is_doubted(name) for name in ("a.png", "b.png", "c.png", "d.png")] == [
            True,
            False,
            False,
            False,
        ]


@pytest.mark.parametrize(
    "name", ["two words", "grün", "new\nline", "a,b", 'a"b', "-dash", "=1", "@x", "./=x"]
)
def test_odd_names_come_back(folder, name):
    path = write(folder, row(name, output=name))
    (cells,) = read(path)
    assert not cells["path"].startswith(("=", "+", "-", "@"))
    assert not cells["output"].startswith(("=", "+", "-", "@"))
    assert os.path.normpath(cells["path"]) == os.path.normpath(name)
    with Report(folder, SETTINGS) as report:
        assert report.is_done(os.path.normpath(name), os.path.normpath(name), STAMP)


def in_shard(path: Path, shard: Shard, *rows: Row) -> Path:
    with OutputFolder(path, shard=shard) as folder:
        return write(folder, *rows)


def test_a_shard_reports_in_a_file_of_its_own(tmp_path):
    path = in_shard(tmp_path, Shard(3, 16), row("a.png"))
    assert path == tmp_path / "rows" / "run.3-of-16.csv"
    assert [found["path"] for found in read(path)] == ["a.png"]
    assert not (tmp_path / "run.csv").exists()


def test_a_run_takes_in_the_reports_of_shards(tmp_path):
    in_shard(tmp_path, Shard(1, 2), row("a.png"), row("b.png", FAILED))
    in_shard(tmp_path, Shard(2, 2), row("c.png"))
    with OutputFolder(tmp_path) as folder, Report(folder, SETTINGS) as report:
        assert [report.is_done(name, name, STAMP) for name in ("a.png", "b.png", "c.png")] == [
            True,
            False,
            True,
        ]
        assert [found["path"] for found in read(report.path)] == ["a.png", "b.png", "c.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["run.csv"]


def test_of_rows_in_several_reports_the_latest_counts(tmp_path):
    with OutputFolder(tmp_path) as folder:
        write(folder, row("a.png", FAILED, finished="2026-01-02"), row("b.png", finished="2026-01-02"))
    in_shard(tmp_path, Shard(1, 2), row("a.png", finished="2026-01-03"))
    in_shard(tmp_path, Shard(2, 3), row("b.png", FAILED, finished="2026-01-01"))
    with OutputFolder(tmp_path) as folder, Report(folder, SETTINGS) as report:
        assert report.is_done("a.png", "a.png", STAMP)
        assert report.is_done("b.png", "b.png", STAMP)
    found = [(one["path"], one["status"], one["finished"]) for one in read(tmp_path / "run.csv")]
    assert found == [("b.png", "done", "2026-01-02"), ("a.png", "done", "2026-01-03")]


def test_in_one_report_the_last_row_counts_whatever_the_clock_said(folder):
    path = write(folder, row("a.png", FAILED, finished="2026-01-02"), row("a.png", finished="1970-01-01"))
    assert [(one["status"], one["finished"]) for one in read(path)] == [("done", "1970-01-01")]


def test_a_shard_knows_what_it_and_shards_of_other_counts_have_done(tmp_path):
    in_shard(tmp_path, Shard(1, 2), row("a.png"))
    in_shard(tmp_path, Shard(2, 3), row("b.png"))
    in_shard(tmp_path, Shard(2, 2), row("c.png"))
    with OutputFolder(tmp_path, shard=Shard(1, 2)) as folder, Report(folder, SETTINGS) as report:
        assert set(report.recorded) == {"a.png", "b.png"}
    assert [found["path"] for found in read(tmp_path / "rows" / "run.1-of-2.csv")] == ["a.png"]


def test_another_programs_file_in_the_place_of_a_shards_report(tmp_path):
    (tmp_path / "rows").mkdir()
    path = tmp_path / "rows" / "run.1-of-2.csv"
    path.write_text("name,age\n")
    (tmp_path / "rows" / "notes.txt").write_text("mine")
    with OutputFolder(tmp_path) as folder:
        with pytest.raises(OutputError, match=r"'.*rows/run.1-of-2.csv' does not have the columns"):
            Report(folder, SETTINGS).__enter__()
        assert path.read_text() == "name,age\n"
        with Report(folder, SETTINGS, fresh=True):
            assert not path.exists()
    assert (tmp_path / "rows" / "notes.txt").read_text() == "mine"


def test_a_place_for_reports_that_cannot_be_made(tmp_path):
    (tmp_path / "rows").write_text("mine")
    with (
        OutputFolder(tmp_path, shard=Shard(1, 2)) as folder,
        pytest.raises(OutputError, match=r"cannot write '.*rows/run.1-of-2.csv' \(Not a directory\)"),
    ):
        Report(folder, SETTINGS).__enter__()
