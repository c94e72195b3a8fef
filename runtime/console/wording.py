"""Text for users: numbers with units, and output that no file name or closed pipe can break."""

import os
import sys
from contextlib import suppress
from functools import cache
from typing import TextIO


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where needed."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def spoken(seconds: float) -> str:
    """Return a duration in words."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, whole = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {whole:02d} s" if minutes else f"{whole} s"


def say(text: str, stream: TextIO | None) -> None:
    """Write a line; neither a closed pipe nor characters that the stream cannot encode raise an error.

    `stream` is None if the process was started without it.
    """
    if stream is None:
        return
    encoding = stream.encoding or "utf-8"
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    with suppress(OSError):
        print(shown.encode(encoding, "backslashreplace").decode(encoding), file=stream)
    flush(stream)


@cache
def say_once(text: str) -> None:
    """Write a line on stderr as `say` does, once in a process however often it is said."""
    say(text, sys.stderr)


def flush(stream: TextIO | None) -> None:
    """Flush a stream; if its reader has gone, discard what was and will be written to it."""
    if stream is None:
        return
    try:
        stream.flush()
    except OSError:
        with suppress(OSError, ValueError):  # a stream in memory has no file
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
