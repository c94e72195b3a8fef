"""Watching a folder round by round, in this process and with a clock of its own."""

import csv
import io
import json
import signal
from pathlib import Path

import numpy as np
import pytest
from called_steps import CalledSteps
from PIL import Image
from slow_retina_run import segment_at_once

from retinagan.runtime.batch.arrivals import RETRY_AFTER, Arrivals
from retinagan.runtime.batch.batch import Batch
from retinagan.runtime.batch.inputs import every_frame
from retinagan.runtime.batch.measuring import MeasuresTable, OldMeasures
from retinagan.runtime.batch.opening import Workplace
from retinagan.runtime.batch.outputs import OutputFolder
from retinagan.runtime.batch.report import Report
from retinagan.runtime.batch.settings import Settings
from retinagan.runtime.batch.watch import Watch, WatchOptions
from retinagan.runtime.console.signals import Stopped

SETTINGS = Settings("fake", "fake", "ab" * 32, 0.5, 0.0, "0.1.0", "0123456789abcdef")
SETTLE = 5.0
KINDS = ("vessels",)


@pytest.fixture
def share(tmp_path) -> Path:
    folder = tmp_path / "share"
    folder.mkdir()
    return folder


def save(path: Path, size: int = 8) -> None:
    Image.fromarray(np.full((size, size, 3), 200, np.uint8)).save(path)


def watch(share: Path, *steps, segment=segment_at_once, measuring=False, **options) -> list[float]:
    """Watch the folder; before each poll but the first, the next step is taken and its seconds pass.

    A step is a function that returns seconds, or a number of seconds. After the last, a signal arrives.
    """
    now, waits, to_do = [0.0], [], [SETTLE, *steps]

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if not to_do:
            raise Stopped(signal.SIGTERM)
        step = to_do.pop(0)
        now[0] += step() or SETTLE if callable(step) else step

    with (
        OutputFolder(share.with_name("out")) as folder,
        Report(folder, SETTINGS) as report,
        MeasuresTable(folder) if measuring else OldMeasures(folder) as table,
    ):
        batch = Batch(CalledSteps(segment), folder, SETTINGS, KINDS, None, table)
        arrivals = Arrivals([str(share)], SETTLE, clock=lambda: now[0])
        Watch(arrivals, Workplace(batch, folder, report), WatchOptions(KINDS, **options)).run(wait)
    return waits


def rows(share: Path) -> list[tuple[str, str]]:
    with (share.with_name("out") / "run.csv").open(newline="", encoding="utf-8") as file:
        return [(row["path"], row["status"]) for row in csv.DictReader(file)]


def test_what_is_there_and_what_arrives_is_segmented(share, capsys):
    save(share / "a.png")
    waits = watch(share, lambda: save(share / "b.png"), SETTLE)
    assert rows(share) == [("a.png", "done"), ("b.png", "done")]
    assert (share.with_name("out") / "b_vessels.png").is_file()
    assert waits == [SETTLE / 2] * 4
    assert capsys.readouterr().err.splitlines() == ["a.png: done", "b.png: done", "2 images: 2 done"]


def test_what_arrives_is_measured_and_what_is_there_is_kept(share, capsys):
    pytest.importorskip("skimage")
    save(share / "a.png")
    watch(share, SETTLE, quiet=True)
    (share / "b.png").write_bytes(b"hi")
    lines = io.StringIO()
    watch(share, lambda: save(share / "c.png"), SETTLE, measuring=True, quiet=True, json_lines=lines)
    with (share.with_name("out") / "measures.csv").open(newline="", encoding="utf-8") as file:
        found = {row["path"]: row["length_pixels"] for row in csv.DictReader(file)}
    assert found == {"a.png": "0", "b.png": "", "c.png": "0"}
    told = {line["path"]: line.get("measures") for line in map(json.loads, lines.getvalue().splitlines())}
    assert told["a.png"]["length_pixels"] == told["c.png"]["length_pixels"] == 0
    assert told["b.png"] is None
    watch(share, lambda: save(share / "d.png"), SETTLE, measuring=True, quiet=True)
    with (share.with_name("out") / "measures.csv").open(newline="", encoding="utf-8") as file:
        assert {row["path"] for row in csv.DictReader(file)} == {*found, "d.png"}


def test_the_next_watch_resumes(share, capsys):
    save(share / "a.png")
    watch(share)
    save(share / "b.png")
    capsys.readouterr()
    watch(share)
    assert capsys.readouterr().err.splitlines() == ["b.png: done", "1 image: 1 done"]
    assert rows(share) == [("a.png", "done"), ("b.png", "done")]


def test_a_half_written_image_that_failed_is_done_when_it_is_whole(share, capsys):
    save(share / "a.png", 64)
    whole = (share / "a.png").read_bytes()
    (share / "a.png").write_bytes(whole[:-20])
    watch(share, lambda: (share / "a.png").write_bytes(whole) and None, SETTLE)
    assert rows(share) == [("a.png", "done")]
    first, second, last = capsys.readouterr().err.splitlines()
    assert first.startswith("a.png: failed: ")
    assert (second, last) == ("a.png: done", "1 image: 1 done")


def test_an_image_that_failed_is_tried_once_more(share, capsys):
    (share / "a.png").write_bytes(b"no picture")
    watch(share, RETRY_AFTER, RETRY_AFTER, RETRY_AFTER)
    failed, again, last = capsys.readouterr().err.splitlines()
    assert failed == again
    assert failed.startswith("a.png: failed: not an image that can be read")
    assert last == "1 image: 0 done, 1 failed"
    assert rows(share) == [("a.png", "failed")]


def test_a_share_that_is_away_for_a_while_is_waited_for(share, capsys):
    save(share / "a.png")
    away = share.with_name("away")

    def come_back() -> None:
        save(away / "b.png")
        away.rename(share)

    watch(share, lambda: share.rename(away) and None, SETTLE, come_back, SETTLE)
    assert capsys.readouterr().err.splitlines() == [
        "a.png: done",
        f"{share}: cannot be listed; waiting for it",
        f"{share}: is back",
        "b.png: done",
        "2 images: 2 done",
    ]
    assert rows(share) == [("a.png", "done"), ("b.png", "done")]


def test_images_of_a_share_that_vanishes_midway_are_done_when_it_is_back(share, capsys):
    away = share.with_name("away")
    names = [f"{number:02}.png" for number in range(16)]
    for name in names:
        save(share / name)

    def segment(frame):
        if not vanished:
            vanished.append(share.rename(away))
        return segment_at_once(frame)

    vanished: list[Path] = []
    watch(share, lambda: away.rename(share) and None, SETTLE, RETRY_AFTER, segment=segment)
    assert sorted(rows(share)) == [(name, "done") for name in names]
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == "16 images: 16 done"
    assert not [line for line in said if line.startswith("15.png: failed")]


def test_each_image_of_a_file_is_segmented_on_request(share):
    pages = [Image.fromarray(np.full((8, 8, 3), 200, np.uint8)) for _ in range(2)]
    pages[0].save(share / "visit.tif", save_all=True, append_images=pages[1:])
    watch(share, expand=every_frame)
    assert rows(share) == [("visit.tif#1", "done"), ("visit.tif#2", "done")]


def test_a_signal_while_segmenting_lets_images_under_way_finish(share, capsys):
    for number in range(30):
        save(share / f"{number:02}.png")

    def segment(frame):
        signal.raise_signal(signal.SIGTERM) if len(seen) == 0 else None
        seen.append(frame)
        return segment_at_once(frame)

    seen: list[np.ndarray] = []
    watch(share, segment=segment)
    done = rows(share)
    assert 1 <= len(done) < 30
    assert {status for _, status in done} == {"done"}
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == (
        f"30 images: {len(done)} done, {30 - len(done)} not reached; run the same command again to continue"
    )


def test_nothing_is_said_if_quiet(share, capsys):
    (share / "a.png").write_bytes(b"no picture")
    watch(share, quiet=True)
    assert capsys.readouterr() == ("", "")


def test_a_line_of_json_for_each_image(share):
    save(share / "a.png")
    lines = io.StringIO()
    watch(share, lambda: save(share / "b.png"), SETTLE, quiet=True, json_lines=lines)
    assert [
        (line["path"], line["status"], line["kept"])
        for line in map(json.loads, lines.getvalue().splitlines())
    ] == [
        ("a.png", "done", False),
        ("b.png", "done", False),
    ]
