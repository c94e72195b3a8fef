import io
import re

import pytest

from retinagan.export.progress import StepLog


def test_a_line_for_each_step_with_its_time(capsys):
    steps = StepLog()
    with steps.step("fold BatchNorm"):
        assert capsys.readouterr().out == "fold BatchNorm ... "
    with steps.step("write") as results:
        results += ["3.4 MB", "2 files"]
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\d+\.\d s", first)
    assert re.fullmatch(r"write \.\.\. 3\.4 MB; 2 files; \d+\.\d s", second)


def test_a_step_that_fails():
    stream = io.StringIO()
    with pytest.raises(KeyError), StepLog(stream).step("read"):
        raise KeyError
    assert stream.getvalue() == "read ... failed\n"


def test_a_table():
    stream = io.StringIO()
    StepLog(stream).table(("file", "size"), [("a.onnx", "3 MB"), ("longer.onnx", "10 MB")])
    assert stream.getvalue() == "\nfile         size\na.onnx       3 MB\nlonger.onnx  10 MB\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_shown_on_a_terminal_alone():
    shown = []
    for stream in (io.StringIO(), Terminal()):
        steps = StepLog(stream)
        with steps.step("build"):
            assert list(steps.counted("ab", "image")) == ["a", "b"]
        shown.append(re.sub(r"\d+\.\d s", "T", stream.getvalue()))
    plain, terminal = shown
    assert plain == "build ... T\n"
    assert "image 1" in terminal
    assert "image 2" in terminal
    assert screen(terminal).rstrip() == plain.rstrip()


def screen(text):
    """What stands on a terminal after a text with backspaces."""
    letters = []
    position = 0
    for letter in text:
        if letter == "\b":
            position -= 1
            continue
        letters[position : position + 1] = [letter]
        position += 1
    return "".join(letters)


def test_a_line_of_its_own():
    stream = io.StringIO()
    StepLog(stream).line("done")
    assert stream.getvalue() == "done\n"
