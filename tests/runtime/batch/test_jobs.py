from pathlib import Path

import pytest

from retinagan.runtime.batch.inputs import Input
from retinagan.runtime.batch.jobs import Job, failed_row, jobs_to_do, stamp_of
from retinagan.runtime.batch.outputs import OutputFolder
from retinagan.runtime.batch.report import Report
from retinagan.runtime.batch.row import DONE, FAILED, Row
from retinagan.runtime.batch.settings import Settings, Stamp
from retinagan.runtime.batch.shard import Shard

SETTINGS = Settings("ONNX Runtime 1, CPU", "tiny", "ab" * 32, 0.4, 0.25, "0.1.0", "0123456789abcdef")


@pytest.fixture
def inputs(tmp_path) -> list[Input]:
    paths = [tmp_path / "in" / name for name in ("a.png", "a.tif", "b.png")]
    paths[0].parent.mkdir()
    for path in paths:
        path.write_bytes(b"picture")
    return [Input(str(path), path.name) for path in paths]


def to_do(inputs: list[Input], out: Path, shard: Shard | None = None, *, again: bool = False) -> list[Job]:
    with OutputFolder(out, shard=shard) as folder, Report(folder, SETTINGS) as report:
        return jobs_to_do(inputs, report, folder, ["vessels"], again=again)


def test_images_that_would_write_one_name_get_two(inputs, tmp_path):
    assert [job.output for job in to_do(inputs, tmp_path / "out")] == ["a.png", "a.tif", "b"]


def test_an_image_is_left_out_while_its_row_stamp_and_pictures_stand(inputs, tmp_path):
    out = tmp_path / "out"
    done = to_do(inputs, out)[2]
    with OutputFolder(out) as folder, Report(folder, SETTINGS) as report:
        report.append(Row("b.png", DONE, "", done.output, stamp_of(done.input, SETTINGS)))
    assert len(to_do(inputs, out)) == 3  # its picture is not there
    (out / "b_vessels.png").write_bytes(b"map")
    assert [job.input.name for job in to_do(inputs, out)] == ["a.png", "a.tif"]
    assert len(to_do(inputs, out, again=True)) == 3
    Path(done.input.path).write_bytes(b"another picture")
    assert len(to_do(inputs, out)) == 3


def test_each_image_is_in_one_shard_under_the_name_that_all_give_it(inputs, tmp_path):
    whole = to_do(inputs, tmp_path / "out")
    parts = [to_do(inputs, tmp_path / "out", Shard(number, 3)) for number in (1, 2, 3)]
    assert sorted((job for part in parts for job in part), key=lambda job: job.input.name) == whole


def test_a_stamp_is_that_of_the_file_or_as_its_store_listed_it(inputs):
    assert stamp_of(inputs[0], SETTINGS).size == "7"
    listed = Input("s3://eyes/a.png", "a.png", listed=("9", "1700000000"))
    assert stamp_of(listed, SETTINGS) == Stamp("9", "1700000000", "ab" * 32, "0123456789abcdef")
    assert stamp_of(Input("missing.png", "missing.png"), SETTINGS).size == ""


def test_an_image_that_was_not_tried_has_a_failed_row_without_results(inputs):
    row = failed_row(Job(inputs[0], "a"), SETTINGS, "its worker died")
    assert (row.status, row.message, row.output, row.width) == (FAILED, "its worker died", "a", None)
    assert row.finished
