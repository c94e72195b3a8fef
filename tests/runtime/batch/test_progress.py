import io

import pytest

from retinagan.runtime.batch.progress import Lines, open_progress
from retinagan.runtime.batch.row import DONE, FAILED, Row
from retinagan.runtime.batch.settings import Stamp


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that goes on by some seconds whenever it is read."""

    def __init__(self, step: float) -> None:
        self.now = -step
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def row(status: str = DONE, path: str = "a.png", message: str = "") -> Row:
    return Row(path, status, message, "a", Stamp("", "", "", ""))


def advanced(progress, count: int, status: str = DONE) -> None:
    for number in range(count):
        progress.advance(row(status, f"{number}.png", "empty"))


def test_quick_images_do_not_make_a_line_each():
    stream = io.StringIO()
    advanced(Lines(10_000, stream, Clock(1 / 128)), 10_000)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "1280 of 10000 images, 128.00 images/s, 1 min 08 s left"
    assert len(lines) < 10


def test_lines_come_the_more_seldom_the_longer_a_run_takes():
    stream = io.StringIO()
    advanced(Lines(36_000, stream, Clock(1)), 36_000)
    counts = [int(line.split()[0]) for line in stream.getvalue().splitlines()]
    assert counts[:3] == [10, 20, 30]
    assert counts[-1] - counts[-2] == 300
    assert len(counts) < 200


def test_the_first_failures_are_shown_and_all_are_counted():
    stream = io.StringIO()
    advanced(Lines(100, stream, Clock(0.25)), 100, FAILED)
    lines = stream.getvalue().splitlines()
    assert lines[:2] == ["0.png: empty", "1.png: empty"]
    assert lines[20] == "more images failed; see run.csv"
    assert lines[21] == "40 of 100 images, 40 failed, 4.00 images/s, 15 s left"
    assert len(lines) < 25


def test_a_terminal_shows_a_bar_with_rate_and_time_left_and_failures_above_it():
    stream = Terminal()
    progress = open_progress(3, stream)
    progress.advance(row())
    progress.advance(row(FAILED, "b.png", "the file is empty"))
    progress.advance(row())
    progress.close()
    text = stream.getvalue()
    assert "b.png: the file is empty\n" in text
    last = text.rpartition("\r")[2]
    assert "3/3" in last
    assert "images/s" in last
    assert "1 failed" in last


def test_elsewhere_there_are_plain_lines():
    stream = io.StringIO()
    progress = open_progress(3, stream)
    advanced(progress, 3, FAILED)
    progress.close()
    assert stream.getvalue() == "0.png: empty\n1.png: empty\n2.png: empty\n"


@pytest.mark.parametrize(("total", "quiet"), [(3, True), (0, False)])
def test_quiet_or_without_images_nothing_is_shown(total, quiet):
    stream = Terminal()
    progress = open_progress(total, stream, quiet=quiet)
    advanced(progress, total, FAILED)
    progress.close()
    assert stream.getvalue() == ""


class Broken(io.StringIO):
    attempts = 0

    def write(self, text: str) -> int:
        self.attempts += 1
        raise BrokenPipeError(32, "Broken pipe")

    def isatty(self) -> bool:
        return True


def test_a_reader_that_has_gone_away_does_not_stop_a_run():
    for opened in (lambda stream: Lines(3, stream, Clock(60)), lambda stream: open_progress(3, stream)):
        stream = Broken()
        progress = opened(stream)
        advanced(progress, 3, FAILED)
        progress.close()
        assert stream.attempts > 0
        assert stream.getvalue() == ""
