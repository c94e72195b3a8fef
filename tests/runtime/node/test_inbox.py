import os
import shutil
import stat
from collections import namedtuple
from pathlib import Path

import pytest
from dicom_network import image, instance_uid

from retinagan.runtime.batch.outputs import OutputError
from retinagan.runtime.node.inbox import Full, Inbox, content_digest, file_name


def opened(folder: Path, most: int = 100, min_free: int = 0) -> Inbox:
    return Inbox(folder, most, min_free).__enter__()


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_what_is_put_in_is_on_the_disk_and_taken_in_order(tmp_path):
    inbox = opened(tmp_path)
    inbox.put(b"first", "a", "1.2", "1.9")
    inbox.put(b"second", "b", "1.2", "1.1")
    assert files(tmp_path) == ["queue/1.2/1.1.dcm", "queue/1.2/1.9.dcm"]
    first, second = inbox.take()
    assert (first.name, first.instance, first.digest) == ("1.2/1.9.dcm", "1.9", "a")
    assert (first.path.read_bytes(), second.path.read_bytes()) == (b"first", b"second")
    assert len(inbox) == 2
    inbox.done(first)
    assert (len(inbox), files(tmp_path)) == (1, ["queue/1.2/1.1.dcm"])
    inbox.done(second)
    assert (len(inbox), list((tmp_path / "queue").iterdir())) == (0, [tmp_path / "queue" / ".incoming"])
    assert inbox.take(timeout=0) == []


def test_no_other_user_may_read_the_queue(tmp_path):
    inbox = opened(tmp_path)
    inbox.put(b"content", "", "1.2", "1.3")
    assert stat.S_IMODE((tmp_path / "queue").stat().st_mode) == 0o700


def test_the_next_process_finds_what_was_not_done_oldest_first(tmp_path):
    inbox = opened(tmp_path)
    for number, seconds in ((1, 30), (2, 10), (3, 20)):
        inbox.put(b"content", "digest", "1.2", f"1.{number}")
        os.utime(tmp_path / "queue" / "1.2" / f"1.{number}.dcm", (seconds, seconds))
    (tmp_path / "queue" / ".incoming" / "7.dcm").write_bytes(b"half of an ob")
    taken = opened(tmp_path).take()
    assert [one.instance for one in taken] == ["1.2", "1.3", "1.1"]
    assert {one.digest for one in taken} == {None}
    assert len(files(tmp_path)) == 3


def test_what_failed_waits_for_the_next_process(tmp_path):
    inbox = opened(tmp_path)
    inbox.put(b"content", "", "1.2", "1.3")
    inbox.put(b"content", "", "1.2", "1.4")
    for one in inbox.take():
        inbox.failed(one)
    assert (len(inbox), files(tmp_path)) == (0, ["failed/1.2/1.3.dcm", "failed/1.2/1.4.dcm"])
    inbox.put(b"newer", "", "1.2", "1.4")
    again = opened(tmp_path)
    assert files(tmp_path) == ["queue/1.2/1.3.dcm", "queue/1.2/1.4.dcm"]
    assert {one.path.read_bytes() for one in again.take()} == {b"content", b"newer"}


@pytest.mark.parametrize("end", ["done", "failed"])
def test_an_object_that_comes_again_while_it_is_done_stays(tmp_path, end):
    inbox = opened(tmp_path)
    inbox.put(b"first", "a", "1.2", "1.3")
    (first,) = inbox.take()
    inbox.put(b"second", "b", "1.2", "1.3")
    getattr(inbox, end)(first)
    (second,) = inbox.take()
    assert (second.digest, second.path.read_bytes()) == ("b", b"second")
    getattr(inbox, end)(second)
    assert len(inbox) == 0


def test_an_object_that_comes_again_while_it_waits_counts_once(tmp_path):
    inbox = opened(tmp_path)
    inbox.put(b"first", "a", "1.2", "1.3")
    inbox.put(b"second", "b", "1.2", "1.3")
    assert len(inbox) == 1
    assert [one.digest for one in inbox.take()] == ["b"]


def test_a_full_queue_says_so(tmp_path):
    inbox = opened(tmp_path, most=2)
    for number in (1, 2):
        inbox.check_room(10)
        inbox.put(b"content", "", "1.2", f"1.{number}")
    with pytest.raises(Full, match=r"^2 objects wait already$"):
        inbox.check_room(10)
    inbox.take()
    with pytest.raises(Full):
        inbox.check_room(10)


def test_a_full_disk_says_so(tmp_path, monkeypatch):
    inbox = opened(tmp_path, min_free=100 << 20)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 120 << 20))
    inbox.check_room(20 << 20)
    with pytest.raises(Full, match=r"^the disk has only 99 MiB left$"):
        inbox.check_room((20 << 20) + 1)


def test_a_closed_inbox_takes_nothing(tmp_path):
    inbox = opened(tmp_path)
    inbox.close()
    with pytest.raises(Full, match=r"^this node is stopping$"):
        inbox.check_room(1)


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    inbox = opened(tmp_path)

    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("retinagan.runtime.node.inbox.synced", full)
    with pytest.raises(OSError, match="No space"):
        inbox.put(b"content", "", "1.2", "1.3")
    assert (len(inbox), files(tmp_path)) == (0, [])


@pytest.mark.parametrize("end", ["done", "failed"])
def test_a_disk_that_fails_while_an_object_leaves_the_queue_is_told(tmp_path, monkeypatch, end):
    inbox = opened(tmp_path)
    inbox.put(b"content", "", "1.2", "1.3")
    (one,) = inbox.take()

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink" if end == "done" else "replace", full)
        with pytest.raises(
            OutputError, match=r"^cannot use the queue '.*queue' \(No space left on device\); free"
        ):
            getattr(inbox, end)(one)
    assert [again.instance for again in opened(tmp_path).take()] == ["1.3"]


def test_a_queue_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "queue").touch()
    with pytest.raises(OutputError, match=r"^cannot use the queue '.*queue' \(File exists\); free the disk"):
        opened(tmp_path)


@pytest.mark.parametrize("uid", ["", ".", "..", "1..2", "../1", "/etc/passwd", "1.2/3", "1" * 65, "name"])
def test_what_is_no_uid_never_names_a_file(uid):
    assert file_name(uid).startswith("x")
    assert "/" not in file_name(uid)
    assert len(file_name(uid)) == 33
    assert file_name(uid) != file_name(f"{uid} ")


def test_a_uid_names_its_file():
    assert file_name(instance_uid(1)) == instance_uid(1)


def test_the_digest_is_of_the_data_set_alone():
    content = image()
    other = content[:132] + content[132:].replace(b"PYDICOM", b"ANOTHER", 1)
    assert other != content
    assert content_digest(other) == content_digest(content)
    assert content_digest(image(PatientID="other")) != content_digest(content)
