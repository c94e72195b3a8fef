from types import SimpleNamespace

import pytest

from retinagan.runtime.steps import timing
from retinagan.runtime.steps.timing import StageClock


@pytest.fixture
def time(monkeypatch):
    """The time in seconds, which a test sets."""
    time = SimpleNamespace(now=100.0)
    monkeypatch.setattr(timing, "perf_counter", lambda: time.now)
    return time


def test_nothing_was_timed():
    assert StageClock().seconds == {}


def test_stages_stand_in_the_order_of_their_first_beginning(time):
    clock = StageClock()
    for name, seconds in (("roi", 0.5), ("crop", 0.25), ("roi", 1.0)):
        with clock.stage(name):
            time.now += seconds
        time.now += 7.0  # between stages no time is counted
    assert list(clock.seconds.items()) == [("roi", 1.5), ("crop", 0.25)]


def test_a_stage_that_fails_is_counted(time):
    clock = StageClock()
    with clock.stage("infer"):
        time.now += 1.0

    def failing():
        with clock.stage("infer"):
            time.now += 2.0
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        failing()
    assert clock.seconds == {"infer": 3.0}


def test_each_clock_has_times_of_its_own(time):
    one, other = StageClock(), StageClock()
    with one.stage("a"):
        time.now += 1.0
    assert other.seconds == {}
