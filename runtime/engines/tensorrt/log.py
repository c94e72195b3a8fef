"""TensorRT's messages, kept for error messages instead of printed."""

from collections import deque
from typing import Any

_KEPT = 16  # messages; a broken engine can log thousands
_NO_MEMORY = ("out of memory", "outofmemory", "insufficient memory", "could not be allocated", "bad_alloc")


def message_log(trt: Any) -> Any:
    """Make a logger for TensorRT that keeps the last errors.

    Parameters
    ----------
    trt : module
        `tensorrt` or `tensorrt_rtx`.

    Returns
    -------
    tensorrt.ILogger
        With a method `said()`, which returns the errors since the last call in one line and forgets them, and
        `ran_out_of_memory`, whether any error or warning was about memory.
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
