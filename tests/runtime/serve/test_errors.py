import pytest

from retinagan.runtime import EngineError, ImageError, NoRetinaError
from retinagan.runtime.serve.errors import BusyError, RequestError, status_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RequestError("x"), 400),
        (RequestError("x", 413), 413),
        (BusyError("x", 7), 503),
        (ImageError("x"), 422),
        (NoRetinaError("x"), 422),
        (EngineError("x"), 500),
        (KeyError("x"), 500),
    ],
)
def test_the_status_tells_whose_fault_it_is(error, status):
    assert status_of(error) == status


def test_a_busy_server_says_when_to_come_again():
    assert BusyError("all places are taken", 7).retry_after == 7
