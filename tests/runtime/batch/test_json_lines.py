import io
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from retinagan.runtime.batch.inputs import Input
from retinagan.runtime.batch.json_lines import JsonLines, described
from retinagan.runtime.batch.measuring import MeasuresTable
from retinagan.runtime.batch.outputs import OutputError, OutputFolder
from retinagan.runtime.batch.report import Report
from retinagan.runtime.batch.row import COLUMNS, DONE, FAILED, STAGES, Row
from retinagan.runtime.batch.settings import Settings, Stamp
from retinagan.runtime.warnings import SENTENCES, ImageWarning

SETTINGS = Settings("ONNX Runtime 1, CPU", "tiny", "ab" * 32, 0.4, 0.25, "0.1.0", "0123456789abcdef")
STAMP = Stamp("1000", "1700000000.000000001", SETTINGS.model_sha256, SETTINGS.digest)
ROW = Row(
    "sub/a.png",
    DONE,
    "",
    "sub/a",
    STAMP,
    565,
    584,
    roi_share=0.6912345,
    threshold=0.4,
    vessel_density=0.125,
    seconds=dict.fromkeys(STAGES, 0.5),
    confidence=0.8,
    pixel_spacing=(0.005, 0.0051),
    laterality="R",
    sop_instance_uid="1.2.840.1",
)
DOUBTS = [
    ImageWarning("several-fields-of-view", "2 fields of view found, 1 segmented; cut the picture"),
    ImageWarning("negative"),
]


@pytest.fixture
def lines(tmp_path):
    """Return what is written for rows: the parsed lines of a run of one kind of picture."""

    def lines(*rows: Row, inputs: tuple[Input, ...] = (Input("in/a.png", "sub/a.png"),)):
        stream = io.StringIO()
        with OutputFolder(tmp_path) as folder, Report(folder, SETTINGS) as report:
            writer = JsonLines(stream, folder, ["vessels", "overlay"], inputs)
            for row in rows:
                writer.write(report.append(row))
            writer.write_kept(report.rows(), again=[])
        written = [json.loads(line) for line in stream.getvalue().splitlines()]
        return written[: len(rows)], written[len(rows) :]

    return lines


def test_a_line_says_what_the_row_says_with_numbers_as_numbers(lines, tmp_path):
    (line,), _ = lines(ROW)
    assert line == {
        "path": "sub/a.png",
        "file": str(Path("in/a.png").absolute()),
        "frame": 1,
        "kept": False,
        "pictures": {
            "vessels": str(tmp_path / "sub/a_vessels.png"),
            "overlay": str(tmp_path / "sub/a_overlay.jpg"),
        },
        "status": "done",
        "error": None,
        "warnings": [],
        "width": 565,
        "height": 584,
        "field_of_view": None,
        "field_of_view_from": None,
        "working_size": None,
        "row_spacing": 0.005,
        "column_spacing": 0.0051,
        "laterality": "R",
        "sop_instance_uid": "1.2.840.1",
        "roi_share": 0.69123,
        "vessel_density": 0.125,
        "confidence": 0.8,
        "engine": "ONNX Runtime 1, CPU",
        "model": "tiny",
        "model_sha256": "ab" * 32,
        "threshold": 0.4,
        "threshold_from": "fixed",
        "overlap": 0.25,
        "version": "0.1.0",
        "input_bytes": 1000,
        "input_modified": "1700000000.000000001",
        "settings": "0123456789abcdef",
        "finished": None,
        "seconds": {**dict.fromkeys(STAGES, 0.5), "total": 4.0},
    }


def test_measures_are_there_if_they_were_taken(tmp_path):
    stream, inputs = io.StringIO(), [Input("in/a.png", "sub/a.png")]
    row = replace(ROW, measures={"arc_over_chord": 1.25, "junctions": 3, "length_degrees": None})
    with OutputFolder(tmp_path) as folder, Report(folder, SETTINGS) as report, MeasuresTable(folder) as table:
        lines = JsonLines(stream, folder, ["vessels"], inputs)
        table.append(row)
        lines.write(report.append(row), row.measures)
        lines.write_kept(report.rows(), [], table)
        table.append(replace(row, measures=None))  # it failed
        lines.write_kept(report.rows(), [], table)
    new, kept, without = map(json.loads, stream.getvalue().splitlines())
    assert new["measures"] == row.measures
    assert {name: kept["measures"][name] for name in row.measures} == row.measures
    assert isinstance(kept["measures"]["junctions"], int)
    assert kept["kept"]
    assert "measures" not in without


def test_a_row_of_measures_that_was_changed_is_named(tmp_path):
    with OutputFolder(tmp_path) as folder, Report(folder, SETTINGS) as report, MeasuresTable(folder) as table:
        report.append(ROW)
        table.append(replace(ROW, measures={"junctions": 3, "arc_over_chord": 1.25}))
        table.path.write_text(table.path.read_text().replace(",1.25,", ",many,"))
        lines = JsonLines(io.StringIO(), folder, ["vessels"], [Input("in/a.png", "sub/a.png")])
        with pytest.raises(OutputError, match=r"'sub/a\.png' in measures\.csv was changed .*--overwrite"):
            lines.write_kept(report.rows(), [], table)


def test_no_column_is_missing(lines):
    (line,), _ = lines(ROW)
    there = {*line, "output", "message"} | {f"seconds_{stage}" for stage in line["seconds"]}
    assert set(COLUMNS) <= there


def test_each_warning_has_its_code_and_its_sentence(lines):
    (line,), _ = lines(ROW.doubted(DOUBTS))
    assert line["status"] == "warning"
    assert line["error"] is None
    assert line["warnings"] == [
        {"code": "several-fields-of-view", "message": "2 fields of view found, 1 segmented; cut the picture"},
        {"code": "negative", "message": SENTENCES["negative"]},
    ]


@pytest.mark.parametrize("message", ["the file is empty", "odd | text | of a decoder"])
def test_a_failed_image_has_an_error_and_no_pictures(lines, message):
    failed = replace(ROW, status=FAILED, message=message, seconds={"read": 0.5})
    (alone, doubted), _ = lines(failed, failed.doubted(DOUBTS))
    assert alone["error"] == doubted["error"] == message
    assert alone["warnings"] == []
    assert [warning["code"] for warning in doubted["warnings"]] == ["several-fields-of-view", "negative"]
    assert doubted["warnings"][1]["message"] == SENTENCES["negative"]
    assert alone["pictures"] == {}
    assert alone["seconds"] == {"read": 0.5, "total": 0.5}


def test_what_an_earlier_run_did_has_the_same_line(lines):
    (first,), (kept,) = lines(ROW.doubted(DOUBTS))
    assert kept == first | {"kept": True}


def test_rows_of_images_that_are_not_inputs_of_this_run_have_no_line(lines):
    assert lines(ROW)[1]
    with pytest.raises(KeyError):
        lines(replace(ROW, path="other.png"))
    stream = io.StringIO()
    row = dict.fromkeys(COLUMNS, "") | {"path": "other.png"}
    JsonLines(stream, None, [], [Input("a.png", "a.png")]).write_kept(
        [row, row | {"path": "a.png"}], ["a.png"]
    )
    assert stream.getvalue() == ""


def test_names_that_are_no_text_or_look_like_a_formula_come_through(lines):
    name = os.fsdecode(b"=\xff.png")
    item = Input(name, name, frame=2)
    (line,), _ = lines(replace(ROW, path=name), inputs=(item,))
    assert line["path"] == name
    assert line["frame"] == 2


def test_a_row_that_was_changed_by_hand():
    row = dict.fromkeys(COLUMNS, "") | {"status": "warning", "warnings": "negative low-confidence"}
    assert described(row)["warnings"] == [
        {"code": "negative", "message": SENTENCES["negative"]},
        {"code": "low-confidence", "message": SENTENCES["low-confidence"]},
    ]
    writer = JsonLines(io.StringIO(), None, [], [Input("a.png", "a.png")])
    with pytest.raises(
        OutputError, match=r"row of 'a\.png' in run\.csv was changed \(.*\); start again with"
    ):
        writer.write(row | {"path": "a.png", "width": "0,5"})
