"""The node's work in this process, from the queue on; a queue that is empty ends it as a signal would."""

import csv
import signal
from itertools import count
from pathlib import Path
from pydoc import locate

import numpy as np
import pytest
from called_steps import CalledSteps
from dicom_files import dicom_file
from dicom_network import Lines, image, instance_uid
from drawn_retina import drawn_retina
from slow_retina_run import segment_at_once

from retinagan.runtime.batch.batch import Batch
from retinagan.runtime.batch.inputs import every_frame
from retinagan.runtime.batch.opening import Workplace
from retinagan.runtime.batch.outputs import OutputError, OutputFolder
from retinagan.runtime.batch.report import Report
from retinagan.runtime.batch.settings import Settings
from retinagan.runtime.console.signals import Stopped
from retinagan.runtime.errors import NoRetinaError
from retinagan.runtime.node.inbox import Inbox, content_digest
from retinagan.runtime.node.ledger import Ledger
from retinagan.runtime.node.node import MOST_STARTS, Node, NodeOptions

STUDY = "1.2"
KINDS = ("vessels", "overlay")
CORRECTED = instance_uid(1), image(1, PatientID="corrected")


class Killed(BaseException):
    """Ends the node where a test wants it, as a kill would: nothing is put right."""


class EndsWhenEmpty(Inbox):
    def take(self, timeout=None):
        taken = super().take(timeout=0)
        if not taken:
            raise Stopped(signal.SIGTERM)
        return taken


class Run:
    """A node on a folder, as often as a test wants it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines = Lines()
        self.segmented = 0
        self.woken = 0
        self.at_start = lambda inbox: None

    def segment(self, frame):
        self.segmented += 1
        return segment_at_once(frame)

    def __call__(self, *arriving, digest="0123456789abcdef", **options) -> None:
        """Have objects arrive, each a number or a UID with its content, and work until all is done."""
        settings = Settings("fake", "fake", "ab" * 32, 0.5, 0.0, "0.1.0", digest)
        how = NodeOptions(**{"kinds": KINDS, "sent": ("overlay",), **options})
        with (
            OutputFolder(self.folder) as folder,
            Report(folder, settings) as report,
            Ledger(self.folder / "node.sqlite3") as ledger,
            EndsWhenEmpty(self.folder, 100, 0) as inbox,
        ):
            batch = Batch(CalledSteps(self.segment), folder, settings, how.kinds)
            node = Node(inbox, ledger, Workplace(batch, folder, report), how, self.lines, self.wake)
            for item in arriving:
                uid, content = item if isinstance(item, tuple) else (instance_uid(item), image(item))
                if not node.is_done(uid, content_digest(content)):
                    inbox.put(content, content_digest(content), STUDY, uid)
            self.at_start(inbox)
            node.run()

    def wake(self) -> None:
        self.woken += 1

    def rows(self) -> dict[str, dict[str, str]]:
        with (self.folder / "run.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert len({row["path"] for row in rows}) == len(rows)
        return {row["path"]: row for row in rows}

    def statuses(self) -> dict[str, str]:
        return {path: row["status"] for path, row in self.rows().items()}

    def files(self, *parts: str) -> list[str]:
        folder = self.folder.joinpath(*parts)
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*") if path.is_file())

    def outgoing(self) -> list[str]:
        with Ledger(self.folder / "node.sqlite3") as ledger:
            return [one.path for one in ledger.outgoing(100)]


@pytest.fixture
def run(tmp_path) -> Run:
    return Run(tmp_path / "out")


def name(number: object) -> str:
    return f"{STUDY}/{instance_uid(number)}.dcm"


def stem(number: object) -> str:
    return f"{STUDY}/{instance_uid(number)}"


def test_what_is_in_the_queue_is_segmented_recorded_and_handed_over(run):
    run(1, 2)
    assert run.statuses() == {name(1): "done", name(2): "done"}
    assert run.rows()[name(1)]["sop_instance_uid"] == instance_uid(1)
    results = [
        f"{instance_uid(number)}_{kind}" for number in (1, 2) for kind in ("overlay.jpg", "vessels.png")
    ]
    assert run.files(STUDY) == sorted(results)
    assert run.files("queue") == []
    assert run.outgoing() == [f"{stem(1)}_overlay.jpg", f"{stem(2)}_overlay.jpg"]
    assert run.woken == 2
    assert run.lines == [f"{name(1)}: done", f"{name(2)}: done"]


def test_nothing_is_handed_over_where_nothing_is_sent(run):
    run(1, sent=())
    assert (run.outgoing(), run.woken) == ([], 0)


def test_what_comes_again_is_done_again_only_if_it_or_the_settings_changed(run):
    run(1)
    run(1)
    assert run.segmented == 1
    run(CORRECTED)
    assert run.segmented == 2
    run(CORRECTED, digest="fedcba9876543210")
    assert run.segmented == 3
    run(CORRECTED, digest="fedcba9876543210", kinds=("vessels",), sent=())
    assert run.segmented == 4
    run(CORRECTED, digest="fedcba9876543210", kinds=("vessels",), sent=(), again=True)
    assert run.segmented == 5
    assert run.statuses() == {name(1): "done"}


def test_an_object_that_came_twice_before_it_was_done_is_done_once(run):
    def have_it_come_again(inbox):
        def done(one):
            inbox.done = real
            inbox.put(image(1), content_digest(image(1)), STUDY, instance_uid(1))
            real(one)

        real, inbox.done = inbox.done, done

    run.at_start = have_it_come_again
    run(1)
    assert run.segmented == 1
    assert run.files("queue") == []


@pytest.mark.parametrize(
    "place",
    [
        "retinagan.runtime.node.ledger.Ledger.record_start",
        "retinagan.runtime.batch.outputs.OutputFolder.write",
        "retinagan.runtime.batch.report.Report.append",
        "retinagan.runtime.node.node.synced",
        "retinagan.runtime.node.ledger.Ledger.record_done",
        "retinagan.runtime.node.inbox.Inbox.done",
    ],
)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_anywhere_loses_nothing_and_doubles_nothing(run, monkeypatch, place, moment):
    owner, _, attribute = place.rpartition(".")
    real = getattr(locate(owner), attribute)
    numbers = count(1)

    def killed(*arguments):
        number = next(numbers)  # threads write at once
        if number == 3 and moment == "before":
            raise Killed
        result = real(*arguments)
        if number == 3 and moment == "after":
            raise Killed
        return result

    with monkeypatch.context() as patched:
        patched.setattr(place, killed)
        with pytest.raises(Killed):
            run(*range(4))
    before = run.segmented
    run()
    assert run.statuses() == {name(number): "done" for number in range(4)}
    assert sorted(run.outgoing()) == sorted(f"{stem(number)}_overlay.jpg" for number in range(4))
    assert len(run.files(STUDY)) == 8
    assert run.files("queue") == run.files("failed") == []
    assert run.segmented - before <= 4
    run(*range(4))
    assert run.segmented - before <= 4


def test_what_an_earlier_process_recorded_is_not_segmented_again(run, monkeypatch):
    """The kill came after the row and before the ledger."""

    def killed(*arguments):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "record_done", killed)
        with pytest.raises(Killed):
            run(1)
    run()
    assert run.segmented == 1
    assert run.outgoing() == [f"{stem(1)}_overlay.jpg"]


def test_an_image_that_fails_is_put_aside_and_tried_by_the_next_process(run):
    def segment(frame):
        raise NoRetinaError("nothing to see")

    real, run.segment = run.segment, segment
    run(1)
    assert run.statuses() == {name(1): "failed"}
    assert run.lines == [f"{name(1)}: failed: nothing to see"]
    assert run.files("failed") == [name(1)]
    assert run.outgoing() == []
    run.segment = real
    run()
    assert run.statuses() == {name(1): "done"}
    assert run.files("failed") == run.files("queue") == []


def test_an_image_that_ends_the_program_again_and_again_is_put_aside(run, monkeypatch):
    """After the first time it is tried alone; the others are done."""
    jobs_at_the_end = []

    def killed(batch, jobs):
        jobs = list(jobs)
        if name(1) in [job.input.name for job in jobs]:
            jobs_at_the_end.append(len(jobs))
            monkeypatch.setattr(Ledger, "forget_starts", lambda *arguments: None)  # a kill forgets nothing
            raise Killed
        return real(batch, jobs)

    real = Batch.run
    monkeypatch.setattr(Batch, "run", killed)
    for arriving in ((0, 1, 2), (), ()):
        with pytest.raises(Killed):
            run(*arriving)
    run()
    assert jobs_at_the_end == [3, 1, 1]
    assert run.statuses() == {name(0): "done", name(1): "failed", name(2): "done"}
    assert run.rows()[name(1)]["message"] == (
        f"retina-node ended {MOST_STARTS} times while it segmented this image; "
        "segment it with retina-run to see why"
    )
    assert run.files("failed") == [name(1)]
    monkeypatch.undo()
    run(1)
    assert run.statuses()[name(1)] == "done"


def test_of_an_object_with_several_images_all_are_done_on_request(run):
    pixels = np.stack([drawn_retina(60, 66)[0]] * 3)
    run((instance_uid("many"), dicom_file(pixels, SOPInstanceUID=instance_uid("many"))), expand=every_frame)
    assert run.statuses() == {f"{name('many')}#{frame}": "done" for frame in (1, 2, 3)}
    assert len(run.outgoing()) == 3
    assert run.files("queue") == []


def test_an_object_of_which_one_image_fails_is_done_without_it(run):
    def segment(frame):
        if not frame.any():
            raise NoRetinaError("black")
        return segment_at_once(frame)

    run.segment = segment
    pixels = np.stack([drawn_retina(60, 66)[0], np.zeros((60, 66, 3), np.uint8)])
    run((instance_uid("two"), dicom_file(pixels, SOPInstanceUID=instance_uid("two"))), expand=every_frame)
    assert list(run.statuses().values()) == ["done", "failed"]
    assert len(run.outgoing()) == 1
    assert run.files("queue") == run.files("failed") == []


def test_a_signal_lets_what_is_under_way_finish_and_the_rest_waits(run):
    def segment(frame):
        if not run.segmented:
            signal.raise_signal(signal.SIGTERM)
        run.segmented += 1
        return segment_at_once(frame)

    run.segment = segment
    run(*range(20))
    done = len(run.statuses())
    assert 1 <= done < 20
    assert len(run.files("queue")) == 20 - done
    run()
    assert set(run.statuses().values()) == {"done"}
    assert len(run.statuses()) == run.segmented == 20


@pytest.mark.parametrize(
    "place",
    ["retinagan.runtime.batch.outputs.OutputFolder.write", "retinagan.runtime.batch.report.Report.append"],
)
def test_what_cannot_be_written_is_done_by_the_next_run(run, monkeypatch, place):
    def full(*arguments):
        raise OutputError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(place, full)
        with pytest.raises(OutputError):
            run(1, 2)
    with Ledger(run.folder / "node.sqlite3") as ledger:
        assert [ledger.starts(instance_uid(number)) for number in (1, 2)] == [0, 0]
    run()
    assert run.statuses() == {name(1): "done", name(2): "done"}


def test_results_that_are_not_on_the_disk_are_not_done(run, monkeypatch):
    def failing(path):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("retinagan.runtime.node.node.synced", failing)
        with pytest.raises(OutputError, match=r"^cannot write to the output folder .* \(Input/output"):
            run(1)
    assert run.outgoing() == []
    run()
    assert run.outgoing() == [f"{stem(1)}_overlay.jpg"]
    assert run.segmented == 1


def test_a_file_in_the_queue_that_cannot_be_read_is_named_and_left(run, monkeypatch):
    def unreadable(path):
        raise PermissionError(13, "Permission denied")

    run.at_start = lambda inbox: (_ for _ in ()).throw(Killed)
    with pytest.raises(Killed):
        run(1)
    run.at_start = lambda inbox: monkeypatch.setattr(Path, "read_bytes", unreadable)
    run()
    assert run.lines[0].startswith(f"{instance_uid(1)}: cannot be read (Permission denied); left in ")
    assert run.files("queue") == [name(1)]
