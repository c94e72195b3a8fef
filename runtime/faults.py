"""Which errors end one frame, and which end the run.

Streams and batches share this policy: an error of one frame stays with that frame, an error of the engine
ends the run.
"""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from retinagan.runtime.errors import EngineError, ImageError, RetinaGanError

ENGINE_FAILURES_IN_A_ROW = 3
"""After this many failures in a row the fault is the engine's, not the frames'."""


class Faulty(Protocol):
    """An object that carries a frame, and the error that stopped it."""

    error: RetinaGanError | None


def unexpected(error: BaseException) -> str:
    """Describe an unforeseen error in one line, with file and line number."""
    place = ""
    if frames := traceback.extract_tb(error.__traceback__):
        place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"
    return f"unexpected {type(error).__name__}: {error}{place}"


class FaultPolicy:
    """Decides whether an error ends one frame or the whole run.

    Parameters
    ----------
    noun : str
        How messages call a frame, such as "frame" or "image".
    ends_run : tuple of exception types
        Errors besides `EngineError` that are not the fault of a single frame.
    check_open : callable, optional
        Raises `EngineError` if the engine was closed. After that no frame can run.
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
        """Record an error of one frame on its carrier; let errors that end the run pass.

        Tracebacks are dropped: they would keep the frame's arrays alive in a reference cycle.
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
        except (Exception, SystemExit) as error:  # a defect that one frame triggers must not cost the others
            carrier.error = RetinaGanError(f"{unexpected(error)}; please report it with the {self._noun}")

    @contextmanager
    def engine_watched(self, carrier: Faulty) -> Iterator[None]:
        """Record a failure of the engine on the frame's carrier.

        Raises
        ------
        EngineError
            If the engine was closed, or has failed on several frames in a row.
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
