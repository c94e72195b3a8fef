"""Why a request is refused, with the HTTP status that says so."""

from retinagan.runtime.errors import ImageError, RetinaGanError


class RequestError(RetinaGanError, ValueError):
    """A request cannot be answered as it came.

    Parameters
    ----------
    message : str
        What came, what was expected, and what to do.
    status : int
        HTTP status; 400 unless something more exact is true.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class BusyError(RequestError):
    """No place is free for another request; `retry_after` is when to try again, in whole seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message, 503)
        self.retry_after = retry_after


def status_of(error: BaseException) -> int:
    """Return the HTTP status for an error: 422 for an image that cannot be used, 500 for our own faults."""
    if isinstance(error, RequestError):
        return error.status
    return 422 if isinstance(error, ImageError) else 500
