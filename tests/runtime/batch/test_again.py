from dataclasses import replace

import pytest

from retinagan.runtime.batch.again import why_again
from retinagan.runtime.batch.inputs import Input
from retinagan.runtime.batch.jobs import Job, stamp_of
from retinagan.runtime.batch.outputs import OutputFolder
from retinagan.runtime.batch.report import Report
from retinagan.runtime.batch.row import DONE, FAILED, WARNING, Row
from retinagan.runtime.batch.settings import Settings

SETTINGS = Settings("ONNX Runtime 1, CPU", "tiny", "ab" * 32, 0.4, 0.25, "0.1.0", "0123456789abcdef")


@pytest.fixture
def jobs(tmp_path) -> list[Job]:
    """Images of which an earlier run has done the first two; one failed, and one is new."""
    jobs = []
    for name in ("-a", "b", "c", "d"):
        path = tmp_path / f"{name}.png"
        path.write_bytes(b"picture")
        jobs.append(Job(Input(str(path), path.name), name))
    with OutputFolder(tmp_path / "out") as folder, Report(folder, SETTINGS) as report:
        for job, status in zip(jobs, (DONE, WARNING, FAILED), strict=False):
            stamp = stamp_of(job.input, SETTINGS)
            report.append(Row(job.input.name, status, "", job.output, stamp, threshold=0.4))
    return jobs


def told(jobs: list[Job], **changes: object) -> list[str]:
    """Return what a run with other settings says."""
    settings = replace(SETTINGS, **({"digest": "fedcba9876543210"} | changes if changes else {}))
    out = f"{jobs[0].input.path.rpartition('/')[0]}/out"
    with OutputFolder(out) as folder, Report(folder, settings) as report:
        return why_again(jobs, report)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"engine": "OpenVINO 2, CPU"}, "engine was 'ONNX Runtime 1, CPU' and is 'OpenVINO 2, CPU' now"),
        ({"model": "small", "model_sha256": "cd" * 32}, "model was 'tiny' and is 'small' now"),
        ({"model_sha256": "cd" * 32}, "the model 'tiny' is another file now"),
        ({"threshold": 0.5}, "threshold was '0.4' and is '0.5' now"),
        ({"threshold_from": "map"}, "threshold_from was 'fixed' and is 'map' now"),
        ({"version": "0.2.0"}, "version was '0.1.0' and is '0.2.0' now"),
        ({"field_of_view": 30.0}, "another option is given now"),
    ],
)
def test_what_differs_is_said_with_the_number_of_images(jobs, changes, reason):
    assert told(jobs, **changes) == [f"2 images are done again: {reason}"]
    assert told(jobs[1:], **changes) == [f"1 image is done again: {reason}"]


def test_thresholds_of_single_maps_are_not_compared(jobs, tmp_path):
    own = replace(SETTINGS, threshold_from="map")
    with OutputFolder(tmp_path / "own") as folder, Report(folder, own) as report:
        for job in jobs[:2]:
            stamp = stamp_of(job.input, own)
            report.append(Row(job.input.name, DONE, "", job.output, stamp, threshold=0.38))
    changed = replace(own, digest="fedcba9876543210", version="0.2.0")
    with OutputFolder(tmp_path / "own") as folder, Report(folder, changed) as report:
        assert why_again(jobs[:2], report) == [
            "2 images are done again: version was '0.1.0' and is '0.2.0' now"
        ]


def test_what_is_missing_is_said(jobs):
    missing = "done again: pictures or measures that are asked for are not there yet"
    assert told(jobs) == [f"2 images are {missing}"]
    assert told(jobs[1:]) == [f"1 image is {missing}"]


def test_nothing_is_said_of_images_that_failed_or_are_new(jobs):
    assert told(jobs[2:]) == []
    assert told(jobs[2:], threshold=0.5) == []


def test_nothing_is_said_of_an_image_whose_file_has_changed(jobs, tmp_path):
    (tmp_path / "-a.png").write_bytes(b"another picture")
    assert told(jobs[:1]) == []
    assert told(jobs[:1], threshold=0.5) == []
