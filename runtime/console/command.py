"""How every command starts and ends: options, one-line errors, signals, exit code."""

import argparse
import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from retinagan.runtime.console.signals import Stopped, StopSignal, exit_code, signals_raised
from retinagan.runtime.console.wording import flush, say
from retinagan.runtime.errors import OptionError, RetinaGanError
from retinagan.runtime.faults import unexpected

DONE, UNUSABLE, DEFECT = 0, 2, 70
"""Exit codes: all done; invalid options, unusable input or output; a defect of this package."""

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


class CommandParser(argparse.ArgumentParser):
    """An argument parser that raises `OptionError` with a one-line message and accepts no abbreviations.

    Parameters
    ----------
    prog, description, epilog : str
        As for `argparse.ArgumentParser`.
    wrap : bool
        Whether description and epilog are wrapped to the terminal's width, or printed as they are.
    """

    def __init__(self, prog: str, description: str, epilog: str | None = None, *, wrap: bool = False) -> None:
        super().__init__(
            prog,
            description=description,
            epilog=epilog,
            formatter_class=argparse.HelpFormatter if wrap else argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Raise `OptionError` with the message and a hint at ``--help``."""
        raise OptionError(f"{message}; see {self.prog} --help")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End the command after an option such as ``--help`` has printed its answer."""
        raise _Answered

    def _print_message(self, message: str, file: object = None) -> None:
        for line in message.splitlines():
            say(line, sys.stdout)


class _Answered(Exception):
    """An option such as ``--help`` was answered; there is nothing more to do."""


def run_command(name: str, work: Callable[[], int], *, interrupted: str = "") -> int:
    """Run a command, and report in one line why it failed.

    What users can put right (an error of this package, or a file or disk that cannot be read or written) is
    one message on stderr. Any other exception is a defect of this package: its traceback is printed, followed
    by a request to report it.

    Parameters
    ----------
    name : str
        The command's name, with which its messages begin.
    work : callable
        Parses the arguments, does the work and returns the exit code.
    interrupted : str
        Message to print after Ctrl-C or another signal; none by default.

    Returns
    -------
    int
        What `work` returned; `UNUSABLE` after an error, `DEFECT` after a defect, 128 + the signal's number
        after a signal, 141 if the reader of stdout has gone.
    """
    stop = StopSignal()
    try:
        with signals_raised(stop):
            return work()
    except _Answered:
        return DONE
    except KeyboardInterrupt as error:
        if isinstance(error, Stopped):
            stop.number = error.number
        stop.number = stop.number or signal.SIGINT
    except BrokenPipeError:
        flush(sys.stdout)
        return exit_code(signal.SIGPIPE)
    except (Exception, SystemExit) as error:  # a library that calls sys.exit is a defect too
        if stop.number is None:  # else it may only be an effect of the interrupt
            return _failed(name, error)
    if interrupted:
        complain(name, interrupted)
    return exit_code(stop.number)


def complain(name: str, text: str) -> None:
    """Write a command's message to stderr, with lines after the first indented."""
    first, *more = text.splitlines() or [""]
    say(f"{name}: {first}", sys.stderr)
    for line in more:
        say(f"  {line}", sys.stderr)


def concerns_file_or_disk(error: OSError) -> bool:
    """Whether an error is about a file that it names or about a disk, and so no defect of ours."""
    return error.filename is not None or error.errno in _DISK


def _failed(name: str, error: BaseException) -> int:
    """Report why a command failed, and return its exit code."""
    if isinstance(error, RetinaGanError):
        complain(name, str(error))
        return UNUSABLE
    if isinstance(error, OSError) and concerns_file_or_disk(error):
        file = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        complain(name, f"{file}{error.strerror or error}")
        return UNUSABLE
    if isinstance(error, MemoryError):
        complain(name, "not enough memory")
        return UNUSABLE
    for line in "".join(traceback.format_exception(error)).splitlines():
        say(line, sys.stderr)
    complain(name, f"{unexpected(error)}; please report it with the lines above{_where_to_report()}")
    return DEFECT


def _where_to_report() -> str:
    """Return where to report a defect, if the installed package names an address."""
    from importlib import metadata  # slow to import, and not needed before

    try:
        addresses = metadata.metadata("retinagan").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        return ""
    by_label = dict(address.split(", ", 1) for address in addresses if ", " in address)
    labels = (label for label in ("Issues", "Repository", "Homepage") if label in by_label)
    address = by_label.get(next(labels, ""), "")
    return f" to {address}" if address else ""
