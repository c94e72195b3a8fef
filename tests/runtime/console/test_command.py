import errno
import os
import signal
from importlib import metadata

import pytest

from retinagan.runtime.console.command import CommandParser, complain, run_command
from retinagan.runtime.console.signals import Stopped
from retinagan.runtime.errors import ImageError, OptionError


def ends(error: BaseException, **options) -> int:
    """Run a command that fails so."""

    def work() -> int:
        raise error

    return run_command("retina-test", work, **options)


@pytest.mark.parametrize("code", [0, 1])
def test_the_exit_code_is_that_of_the_work(code):
    assert run_command("retina-test", lambda: code) == code


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OptionError("--size 0: expected 1 or more"), "--size 0: expected 1 or more"),
        (ImageError("no retina"), "no retina"),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "a.csv"),
            "a.csv: No such file or directory",
        ),
        (PermissionError(errno.EACCES, "Permission denied", b"a"), "a: Permission denied"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (MemoryError(), "not enough memory"),
    ],
)
def test_what_users_can_put_right_is_one_line(capsys, error, line):
    assert ends(error) == 2
    assert capsys.readouterr() == ("", f"retina-test: {line}\n")


def test_further_lines_of_a_message_are_indented(capsys):
    complain("retina-test", "two images are broken:\na.png: empty\nb.png: empty")
    assert capsys.readouterr().err == (
        "retina-test: two images are broken:\n  a.png: empty\n  b.png: empty\n"
    )


@pytest.mark.parametrize(
    "error",
    [
        ValueError("operands could not be broadcast"),
        RuntimeError("mat1 and mat2 shapes"),
        OSError("cannot load a library"),
        SystemExit(0),
    ],
)
def test_a_defect_keeps_its_traceback_and_asks_to_be_reported(capsys, monkeypatch, error):
    monkeypatch.setattr(metadata, "metadata", lambda name: Described([]))
    assert ends(error) == 70
    out, err = capsys.readouterr()
    first, *_, where, last = err.splitlines()
    assert out == ""
    assert first == "Traceback (most recent call last):"
    assert where == f"{type(error).__name__}: {error}"
    kind = type(error).__name__
    assert last.startswith(f"retina-test: unexpected {kind}: {error} (test_command.py, line ")
    assert last.endswith("; please report it with the lines above")


class Described:
    """What the installed package says of itself."""

    def __init__(self, addresses):
        self._addresses = addresses

    def get_all(self, name):
        assert name == "Project-URL"
        return self._addresses


@pytest.mark.parametrize(
    ("addresses", "end"),
    [
        (
            ["Documentation, https://docs.example", "Issues, https://example/issues"],
            "to https://example/issues",
        ),
        (["Repository, https://example/code"], "to https://example/code"),
        (None, "with the lines above"),
    ],
)
def test_the_package_says_where_to_report(capsys, monkeypatch, addresses, end):
    monkeypatch.setattr(metadata, "metadata", lambda name: Described(addresses))
    ends(KeyError("x"))
    assert capsys.readouterr().err.endswith(f"{end}\n")


def test_a_package_that_is_not_installed_names_no_address(capsys, monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "metadata", missing)
    assert ends(KeyError("x")) == 70
    assert capsys.readouterr().err.endswith("please report it with the lines above\n")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_signals_stop_alike(capsys, number, code):
    def work():
        os.kill(os.getpid(), number)
        raise AssertionError("not reached")

    assert run_command("retina-test", work, interrupted="interrupted; go on") == code
    assert capsys.readouterr() == ("", "retina-test: interrupted; go on\n")


def test_a_signal_counts_even_where_a_library_makes_another_error_of_it(capsys):
    def work():
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise RuntimeError("initialization failed") from None

    assert run_command("retina-test", work) == 143
    assert capsys.readouterr() == ("", "")


def test_a_second_signal_of_a_loop_that_notes_the_first_decides():
    assert ends(Stopped(signal.SIGTERM)) == 143
    assert ends(KeyboardInterrupt()) == 130


def test_a_reader_that_has_gone_is_no_defect(capsys):
    assert ends(BrokenPipeError(errno.EPIPE, "Broken pipe")) == 141
    assert capsys.readouterr() == ("", "")


def parse(*arguments: str) -> int:
    def work():
        parser = CommandParser("retina-test", "Tests.", "exit code: 0 done")
        parser.add_argument("--size", type=int)
        parser.add_argument("--version", action="version", version="%(prog)s 1.0")
        return parser.parse_args(arguments).size

    return run_command("retina-test", work)


def test_wrong_options_are_one_line(capsys):
    assert parse("--size", "1") == 1
    assert parse("--size", "big") == 2
    assert parse("--si", "1") == 2
    assert capsys.readouterr().err.splitlines() == [
        "retina-test: argument --size: invalid int value: 'big'; see retina-test --help",
        "retina-test: unrecognized arguments: --si 1; see retina-test --help",
    ]


def test_questions_are_answered_on_stdout(capsys):
    assert parse("--version") == 0
    assert capsys.readouterr() == ("retina-test 1.0\n", "")
    assert parse("--help") == 0
    out, err = capsys.readouterr()
    assert "exit code: 0 done" in out
    assert err == ""
