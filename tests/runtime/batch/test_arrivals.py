import os
from pathlib import Path

import pytest

from retinagan.runtime.batch.arrivals import RETRY_AFTER, Arrivals
from retinagan.runtime.batch.encoding import encode_png
from retinagan.runtime.batch.inputs import InputError
from retinagan.runtime.errors import OptionError

SETTLE = 5.0


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def share(tmp_path) -> Path:
    folder = tmp_path / "share"
    folder.mkdir()
    return folder


@pytest.fixture
def arrivals(share, clock) -> Arrivals:
    return Arrivals([str(share)], SETTLE, clock)


def polled(arrivals: Arrivals, clock: Clock, seconds: float = 0.0) -> list[str]:
    clock.now += seconds
    return [item.name for item in arrivals.poll()]


def test_an_image_is_given_out_once_when_it_has_settled(share, arrivals, clock):
    (share / "sub").mkdir()
    for name in ("b.png", "a.jpg", "sub/c.tif", "notes.txt"):
        (share / name).write_bytes(b"content")
    assert polled(arrivals, clock) == []
    assert polled(arrivals, clock, SETTLE - 0.1) == []
    assert polled(arrivals, clock, 0.1) == ["a.jpg", "b.png", "sub/c.tif"]
    assert polled(arrivals, clock, 10 * SETTLE) == []


def test_its_path_opens_it(share, arrivals, clock):
    (share / "a.png").write_bytes(b"content")
    arrivals.poll()
    clock.now += SETTLE
    assert [Path(item.path) for item in arrivals.poll()] == [share / "a.png"]


def test_a_file_that_grows_is_waited_for(share, arrivals, clock):
    path = share / "a.png"
    for size in range(1, 20):
        path.write_bytes(bytes(size))
        assert polled(arrivals, clock, SETTLE - 1) == []
    assert polled(arrivals, clock, SETTLE) == ["a.png"]


def test_a_file_that_is_rewritten_in_place_is_waited_for(share, arrivals, clock):
    """Windows gives a copy its full size at once, and fills it then."""
    path = share / "a.png"
    path.write_bytes(bytes(100))
    for second in range(1, 20):
        os.utime(path, (second, second))
        assert polled(arrivals, clock, SETTLE - 1) == []
    assert polled(arrivals, clock, SETTLE) == ["a.png"]


def test_an_image_that_changes_later_is_given_out_again(share, arrivals, clock):
    path = share / "a.png"
    path.write_bytes(b"content")
    polled(arrivals, clock)
    assert polled(arrivals, clock, SETTLE) == ["a.png"]
    path.write_bytes(b"other content")
    assert polled(arrivals, clock, 1) == []
    assert polled(arrivals, clock, SETTLE) == ["a.png"]


@pytest.mark.parametrize("temporary", ["a.png.part", "a.png.filepart", "a.tmp", ".a.png.Xy12", "a.png~"])
def test_an_unfinished_copy_waits_for_its_name(share, arrivals, clock, temporary):
    (share / temporary).write_bytes(encode_png_of_one_pixel())
    polled(arrivals, clock)
    assert polled(arrivals, clock, 20 * SETTLE) == []
    (share / temporary).rename(share / "a.png")
    polled(arrivals, clock)
    assert polled(arrivals, clock, SETTLE) == ["a.png"]


def encode_png_of_one_pixel() -> bytes:
    import numpy as np

    return bytes(encode_png(np.zeros((1, 1), np.uint8)))


def test_own_pictures_are_passed_over(share, arrivals, clock):
    (share / "a_vessels.png").write_bytes(encode_png_of_one_pixel())
    polled(arrivals, clock)
    assert polled(arrivals, clock, SETTLE) == []


def test_what_has_no_suffix_is_judged_by_its_content_when_it_is_whole(share, arrivals, clock):
    (share / "scan").write_bytes(b"\x89PNG")
    (share / "list").write_bytes(b"no image, but long enough to be one")
    polled(arrivals, clock)
    (share / "scan").write_bytes(encode_png_of_one_pixel())
    polled(arrivals, clock, 1)
    assert polled(arrivals, clock, SETTLE) == ["scan"]


def test_an_empty_file_waits_longer(share, arrivals, clock):
    (share / "a.png").touch()
    polled(arrivals, clock)
    assert polled(arrivals, clock, 9 * SETTLE) == []
    assert polled(arrivals, clock, SETTLE) == ["a.png"]


def test_a_file_that_cannot_be_opened_waits_longer(share, arrivals, clock, monkeypatch):
    """Another client may have locked it while it writes."""
    (share / "a.png").write_bytes(b"content")

    def locked(path, mode):
        raise PermissionError(path)

    with monkeypatch.context() as patched:
        patched.setattr("builtins.open", locked)
        polled(arrivals, clock)
        assert polled(arrivals, clock, 2 * SETTLE) == []
    assert polled(arrivals, clock) == ["a.png"]
    (share / "b.png").write_bytes(b"content")
    monkeypatch.setattr("builtins.open", locked)
    polled(arrivals, clock)
    assert polled(arrivals, clock, 9 * SETTLE) == []
    assert polled(arrivals, clock, SETTLE) == ["b.png"]


def test_what_opening_tells_counts_more_than_what_listing_told(share, arrivals, clock, monkeypatch):
    """NFS may list the size of some time ago."""
    path = share / "a.png"
    path.write_bytes(b"half")
    listed = path.stat()
    path.write_bytes(b"half of the file")
    stat = os.stat
    monkeypatch.setattr("os.stat", lambda name: listed if name == str(path) else stat(name))
    polled(arrivals, clock)
    assert polled(arrivals, clock, SETTLE) == []
    assert polled(arrivals, clock, SETTLE) == []
    monkeypatch.undo()
    polled(arrivals, clock)
    assert polled(arrivals, clock, SETTLE) == ["a.png"]


def test_a_pipe_is_not_opened(share, arrivals, clock):
    os.mkfifo(share / "a.png")
    polled(arrivals, clock)
    assert polled(arrivals, clock, 20 * SETTLE) == []


def test_a_folder_that_vanishes_is_named_and_looked_at_afresh(share, arrivals, clock):
    (share / "a.png").write_bytes(b"content")
    polled(arrivals, clock)
    assert polled(arrivals, clock, SETTLE) == ["a.png"]
    away = share.rename(share.with_name("away"))
    assert polled(arrivals, clock, SETTLE) == []
    assert arrivals.unlisted == (str(share),)
    (away / "b.png").write_bytes(b"content")
    away.rename(share)
    assert polled(arrivals, clock, SETTLE) == []
    assert arrivals.unlisted == ()
    assert polled(arrivals, clock, SETTLE) == ["a.png", "b.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list any folder")
def test_a_subfolder_without_permission_is_named(share, arrivals, clock):
    (share / "sub").mkdir(mode=0)
    polled(arrivals, clock)
    assert arrivals.unlisted == (str(share / "sub"),)


def test_files_that_have_gone_are_forgotten(share, arrivals, clock):
    for number in range(100):
        path = share / f"{number}.png"
        path.write_bytes(b"content")
        polled(arrivals, clock)
        assert polled(arrivals, clock, SETTLE) == [path.name]
        path.unlink()
    polled(arrivals, clock)
    assert arrivals._files == {}


def test_an_image_that_failed_is_given_out_once_more(share, arrivals, clock):
    path = share / "a.png"
    path.write_bytes(b"content")
    arrivals.poll()
    clock.now += SETTLE
    (item,) = arrivals.poll()
    arrivals.failed(item)
    assert polled(arrivals, clock, RETRY_AFTER - 1) == []
    assert polled(arrivals, clock, 1) == ["a.png"]
    arrivals.failed(item)
    assert polled(arrivals, clock, 10 * RETRY_AFTER) == []
    path.write_bytes(b"all of it")
    polled(arrivals, clock)
    assert polled(arrivals, clock, SETTLE) == ["a.png"]
    path.unlink()
    polled(arrivals, clock)
    arrivals.failed(item)
    assert polled(arrivals, clock, RETRY_AFTER) == []


def test_an_image_that_is_put_back_is_given_out_when_it_is_there(share, arrivals, clock):
    path = share / "a.png"
    path.write_bytes(b"content")
    arrivals.poll()
    clock.now += SETTLE
    (item,) = arrivals.poll()
    arrivals.put_back(item)
    assert polled(arrivals, clock) == []
    assert polled(arrivals, clock, SETTLE) == ["a.png"]
    path.unlink()
    polled(arrivals, clock)
    arrivals.put_back(item)
    assert polled(arrivals, clock, SETTLE) == []


def test_names_start_below_the_folder_that_all_share(tmp_path, clock):
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(b"content")
    arrivals = Arrivals([str(tmp_path / "x"), str(tmp_path / "y"), f"{tmp_path}/x/"], SETTLE, clock)
    polled(arrivals, clock)
    assert polled(arrivals, clock, SETTLE) == ["x/a.png", "y/a.png"]


def test_the_pause_grows_with_what_listing_takes(share, clock, monkeypatch):
    arrivals = Arrivals([str(share)], SETTLE, clock)
    arrivals.poll()
    assert arrivals.pause == SETTLE / 2

    def slowly(folder):
        clock.now += 10
        yield from ()

    monkeypatch.setattr("retinagan.runtime.batch.arrivals.files_below", slowly)
    arrivals.poll()
    assert arrivals.pause == 50


def test_what_is_no_folder_is_refused(tmp_path):
    (tmp_path / "a.png").touch()
    for path in (tmp_path / "a.png", tmp_path / "absent"):
        with pytest.raises(InputError, match=rf"^--watch expects folders that exist; got '{path}'$"):
            Arrivals([str(path)], SETTLE)


@pytest.mark.parametrize("settle", [0, 3601, float("nan")])
def test_a_time_out_of_range_is_refused(share, settle):
    with pytest.raises(OptionError, match=rf"^--settle: got {settle:g}; expected 0.1 to 3600 seconds$"):
        Arrivals([str(share)], settle)
