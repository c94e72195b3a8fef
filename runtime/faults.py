"""What is wrong with one frame stays with that frame; what is wrong with the engine ends the run.

The one policy for whatever takes many frames or images through a segmenter.
"""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from retinagan.runtime.errors import EngineError, ImageError, RetinaGanError

ENGINE_FAILURES_IN_A_ROW = 3
"""After this many failures in a row the engine is to blame, and not the frames."""


class Faulty(Protocol):
    """Whatever carries a frame, and the error that ended its way."""

    error: RetinaGanError | None


def unexpected(error: BaseException) -> str:
    """Say in a line what an error is that nobody foresaw, with file and line."""
    place = ""
    if frames := traceback.extract_tb(error.__traceback__):
        place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"
    return f"unexpected {type(error).__name__}: {error}{place}"


class FaultPolicy:
    """Decides whether an error ends one frame's way or the whole run.

    Parameters
    ----------
    noun : str
        What a frame is called in messages, such as "frame" or "image".
    ends_run : tuple of exception types
        Errors besides `EngineError` that no single frame is to blame for.
    check_open : callable, optional
        Raises `EngineError` if the engine was closed, after which no frame can be run.
    """

    def __init__(
        self,
        noun: str,
        ends_run: tuple[type[RetinaGanError], ...] = (),
        check_open: Callable[[], None] | None = None,
    ) -> None:
        self._noun = noun
        self._ends_run: tuple[type[RetinaGanError], ...] = (EngineError, *ends_run)
        self._check_open = check_open
        self._engine_failures = 0

    @contextmanager
    def noted(self, carrier: Faulty) -> Iterator[None]:
        """Note as a frame's error what is wrong with it; let through what ends the run.

        Notes errors without their tracebacks, which hold on to the frame's arrays in a cycle.
        """
        try:
            yield
        except self._ends_run:
            raise
        except ImageError as error:
            carrier.error = error.with_traceback(None)
        except MemoryError:
            article = "an" if self._noun[0] in "aeiou" else "a"
            carrier.error = ImageError(
                f"not enough memory for {article} {self._noun} of this size; make it smaller"
            )
        except (Exception, SystemExit) as error:  # a defect that one frame brings to light costs no other
            carrier.error = RetinaGanError(f"{unexpected(error)}; please report it with the {self._noun}")

    @contextmanager
    def engine_watched(self, carrier: Faulty) -> Iterator[None]:
        """Note as a frame's error that the engine failed on it.

        Raises
        ------
        EngineError
            If the engine was closed, or failed on several frames in a row: then no frame is to blame.
        """
        try:
            yield
            self._engine_failures = 0
        except EngineError as error:
            if self._check_open is not None:
                self._check_open()
            self._engine_failures += 1
            if self._engine_failures >= ENGINE_FAILURES_IN_A_ROW:
                raise EngineError(
                    f"the engine failed on {self._engine_failures} {self._noun}s in a row: {error}"
                ) from error
            carrier.error = error.with_traceback(None)
