"""How every command begins and ends: its options, its errors in a line, its signals, its exit code."""

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
"""Exit codes: all done; wrong options or input, or no room for the output; a defect of this package."""

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


class CommandParser(argparse.ArgumentParser):
    """An argument parser whose errors are `OptionError`, in one line, and which takes no abbreviations."""

    def __init__(self, prog: str, description: str, epilog: str | None = None) -> None:
        super().__init__(
            prog,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Raise `OptionError` with what is wrong, and where to read what is right."""
        raise OptionError(f"{message}; see {self.prog} --help")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End the command after an option such as ``--help``, whose answer is printed."""
        raise _Answered

    def _print_message(self, message: str, file: object = None) -> None:
        for line in message.splitlines():
            say(line, sys.stdout)


class _Answered(Exception):
    """The arguments asked a question, such as ``--help``; there is nothing more to do."""


def run_command(name: str, work: Callable[[], int], *, interrupted: str = "") -> int:
    """Do what a command does, and say in a line why it could not.

    What users got wrong, an error of this package or a file or disk that cannot be read or written, is one
    message on stderr. Any other exception is a defect of this package: its traceback is printed, and
    where to report it.

    Parameters
    ----------
    name : str
        The command's, which its messages begin with.
    work : callable
        Parses the arguments and does the work; gives the exit code.
    interrupted : str
        What to say after Ctrl-C or another signal; nothing if left out.

    Returns
    -------
    int
        What `work` gave; `UNUSABLE` after an error, `DEFECT` after a defect, 128 + the signal's number
        after a signal that stops, 141 if whoever reads stdout has gone.
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
    except (Exception, SystemExit) as error:  # a library that ends the process ends no command well
        if stop.number is None:  # else it may only say that something was interrupted
            return _failed(name, error)
    if interrupted:
        complain(name, interrupted)
    return exit_code(stop.number)


def complain(name: str, text: str) -> None:
    """Write a command's message to stderr; further lines of it are indented."""
    first, *more = text.splitlines() or [""]
    say(f"{name}: {first}", sys.stderr)
    for line in more:
        say(f"  {line}", sys.stderr)


def concerns_file_or_disk(error: OSError) -> bool:
    """Whether an error is about a file that it names, or a disk: the user's affair, and no defect."""
    return error.filename is not None or error.errno in _DISK


def _failed(name: str, error: BaseException) -> int:
    """Say why a command ended, and give its exit code."""
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
    """Give the address that the installed package names for reports, if it names one."""
    from importlib import metadata  # slow to import, and not needed before

    try:
        addresses = metadata.metadata("retinagan").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        return ""
    by_label = dict(address.split(", ", 1) for address in addresses if ", " in address)
    labels = (label for label in ("Issues", "Repository", "Homepage") if label in by_label)
    address = by_label.get(next(labels, ""), "")
    return f" to {address}" if address else ""
