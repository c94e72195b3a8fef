"""What TensorRT says: kept for the text of an error, instead of printed."""

from collections import deque
from typing import Any

_KEPT = 16  # messages; a broken engine can say thousands
_NO_MEMORY = ("out of memory", "outofmemory", "insufficient memory", "could not be allocated", "bad_alloc")


def message_log(trt: Any) -> Any:
    """Make a logger for TensorRT that keeps its last errors.

    Parameters
    ----------
    trt : module
        `tensorrt` or `tensorrt_rtx`.

    Returns
    -------
    tensorrt.ILogger
        With a method `said()`, which gives the errors since the last time, in one line, and forgets them;
        and `ran_out_of_memory`, whether an error or a warning ever said so.
    """
    kept = (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR)

    class MessageLog(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self._errors: deque[str] = deque(maxlen=_KEPT)
            self.ran_out_of_memory = False

        def log(self, severity: Any, message: str) -> None:
            if severity in kept or severity == trt.ILogger.WARNING:
                self.ran_out_of_memory |= any(words in message.lower() for words in _NO_MEMORY)
            if severity in kept:
                self._errors.append(" ".join(message.split()))

        def said(self) -> str:
            texts = list(dict.fromkeys(self._errors))
            self._errors.clear()
            return "; ".join(texts)[:400] or "it gave no reason"

    return MessageLog()
