import io
import re

import pytest

from retinagan.export.steps import Steps


def test_a_line_for_each_step_with_its_time(capsys):
    steps = Steps()
    with steps.step("fold BatchNorm"):
        assert capsys.readouterr().out == "fold BatchNorm ... "
    with steps.step("write") as results:
        results += ["3.4 MB", "2 files"]
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\d+\.\d s", first)
    assert re.fullmatch(r"write \.\.\. 3\.4 MB; 2 files; \d+\.\d s", second)


def test_a_step_that_fails():
    stream = io.StringIO()
    with pytest.raises(KeyError), Steps(stream).step("read"):
        raise KeyError
    assert stream.getvalue() == "read ... failed\n"


def test_a_table():
    stream = io.StringIO()
    Steps(stream).table(("file", "size"), [("a.onnx", "3 MB"), ("longer.onnx", "10 MB")])
    assert stream.getvalue() == "\nfile         size\na.onnx       3 MB\nlonger.onnx  10 MB\n"
