from dataclasses import dataclass

import pytest

from retinagan.runtime.errors import EngineError, ImageError, ModelError, NoRetinaError, RetinaGanError
from retinagan.runtime.faults import FaultPolicy, unexpected


@dataclass
class Carrier:
    error: RetinaGanError | None = None


def noted(error: BaseException, policy: FaultPolicy | None = None) -> RetinaGanError | None:
    """Give what a frame is left with after such an error."""
    carrier = Carrier()
    with (policy or FaultPolicy("frame")).noted(carrier):
        raise error
    return carrier.error


def fails(policy: FaultPolicy, text: str = "busy") -> RetinaGanError | None:
    carrier = Carrier()
    with policy.engine_watched(carrier):
        raise EngineError(text)
    return carrier.error


def test_what_is_wrong_with_a_frame_is_its_error_without_traceback():
    error = NoRetinaError("black all over")
    assert noted(error) is error
    assert error.__traceback__ is None


@pytest.mark.parametrize(("noun", "text"), [("frame", "a frame"), ("image", "an image")])
def test_a_frame_too_large_for_memory(noun, text):
    error = noted(MemoryError(), FaultPolicy(noun))
    assert isinstance(error, ImageError)
    assert str(error) == f"not enough memory for {text} of this size; make it smaller"


@pytest.mark.parametrize("kind", [ValueError, SystemExit, ModelError])
def test_a_defect_costs_one_frame_and_says_where_it_is(kind):
    error = noted(kind("odd shape"))
    assert type(error) is RetinaGanError
    text = str(error)
    assert text.startswith(f"unexpected {kind.__name__}: odd shape (test_faults.py, line ")
    assert text.endswith("); please report it with the frame")


def test_some_errors_end_the_run():
    class DiskError(RetinaGanError):
        pass

    policy = FaultPolicy("image", ends_run=(DiskError,))
    for error in (DiskError("full"), EngineError("lost"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            noted(error, policy)


def test_an_engine_that_fails_three_times_in_a_row_ends_the_run():
    policy = FaultPolicy("image")
    assert [str(fails(policy)), str(fails(policy))] == ["busy", "busy"]
    with policy.engine_watched(Carrier()):
        pass  # it works again: count anew
    fails(policy)
    fails(policy)
    with pytest.raises(EngineError, match="the engine failed on 3 images in a row: busy"):
        fails(policy)


def test_a_closed_engine_ends_the_run_at_once():
    def check_open():
        raise EngineError("it is closed")

    with pytest.raises(EngineError, match="it is closed"):
        fails(FaultPolicy("frame", check_open=check_open))


def test_an_error_that_was_never_raised_has_no_place():
    assert unexpected(KeyError("x")) == "unexpected KeyError: 'x'"
