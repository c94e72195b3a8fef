import io
import os

import pytest

from retinagan.runtime.console.wording import counted, say, say_once, spoken


def test_a_number_of_things():
    assert [counted(number, "image") for number in (0, 1, 2)] == ["0 images", "1 image", "2 images"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (10, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.9, "1 h 00 min"),
        (360000, "100 h 00 min"),
    ],
)
def test_a_span_of_time(seconds, words):
    assert spoken(seconds) == words


@pytest.mark.parametrize(
    ("encoding", "text", "shown"),
    [
        ("utf-8", "grün 眼 it's", "grün 眼 it's"),
        ("ascii", "grün 眼", "gr\\xfcn \\u773c"),
        ("utf-8", "new\nline\ttab\x1b[2J", "new\\nline\\ttab\\x1b[2J"),
        ("utf-8", "caf\udce9", "caf\\udce9"),
    ],
)
def test_a_line_can_be_shown_whatever_the_name(encoding, text, shown):
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding=encoding)
    say(text, stream)
    assert buffer.getvalue() == (shown + "\n").encode(encoding)


class Broken(io.StringIO):
    attempts = 0

    def write(self, text: str) -> int:
        self.attempts += 1
        raise BrokenPipeError(32, "Broken pipe")


def test_a_reader_that_has_gone_away_is_no_error():
    stream = Broken()
    say("text", stream)
    assert stream.attempts > 0
    assert stream.getvalue() == ""


def test_what_comes_after_goes_nowhere(capfd):
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w", encoding="utf-8") as stream:
        for _ in range(3):
            say("text", stream)
    assert capfd.readouterr() == ("", "")


def test_a_line_that_is_said_once(capsys):
    for line in ("a line of its own", "another", "a line of its own"):
        say_once(line)
    assert capsys.readouterr().err == "a line of its own\nanother\n"
