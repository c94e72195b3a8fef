from types import SimpleNamespace

import pytest

from retinagan.runtime.stream import statistics as stream_statistics
from retinagan.runtime.stream.statistics import Percentiles, StatisticsWindow


@pytest.fixture
def clock(monkeypatch):
    """A clock that tells the time it was set to."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(stream_statistics, "perf_counter", lambda: clock.now)
    return clock


def entrance(received, dropped=0):
    return SimpleNamespace(received=received, dropped=dropped)


def test_nothing_yet():
    summary = StatisticsWindow(10).summary(entrance(3))
    assert (summary.received, summary.segmented, summary.failed, summary.dropped) == (3, 0, 0, 0)
    assert summary.rate == 0.0
    assert summary.latency is None
    assert summary.stages == {}
    assert str(summary) == "3 frames: 0 segmented, 0 failed, 0 dropped, 3 under way; 0.0 results/s"


def test_percentiles_by_stage(clock):
    window = StatisticsWindow(1000)
    for number in range(101):
        clock.now = number / 50
        window.add(number / 100, {"roi": number / 1000, "infer": 0.5}, failed=False)
    summary = window.summary(entrance(110, 4))
    assert summary.latency == pytest.approx(Percentiles(0.50, 0.95, 0.99))
    assert summary.stages["roi"] == pytest.approx(Percentiles(0.050, 0.095, 0.099))
    assert summary.stages["infer"] == Percentiles(0.5, 0.5, 0.5)
    assert summary.rate == pytest.approx(50)
    assert summary.received - summary.segmented - summary.failed - summary.dropped == 110 - 101 - 4


def test_failed_frames_count_in_the_rate_and_not_in_the_times(clock):
    window = StatisticsWindow(1000)
    for number in range(5):
        clock.now = float(number)
        window.add(0.1, {"roi": 0.01}, failed=False)
    clock.now = 5.0
    window.add(9.0, {"roi": 9.0}, failed=True)
    summary = window.summary(entrance(6))
    assert (summary.segmented, summary.failed) == (5, 1)
    assert summary.latency == Percentiles(0.1, 0.1, 0.1)
    assert summary.rate == pytest.approx(1.0)


def test_the_window_forgets(clock):
    window = StatisticsWindow(10)
    for number in range(100):
        clock.now = float(number)
        window.add(1.0 if number < 90 else 0.25, {"roi": 0.125}, failed=False)
    summary = window.summary(entrance(100))
    assert summary.segmented == 100
    assert summary.latency == Percentiles(0.25, 0.25, 0.25)


def test_one_frame_is_no_plural():
    summary = StatisticsWindow(10).summary(entrance(1))
    assert str(summary) == "1 frame: 0 segmented, 0 failed, 0 dropped, 1 under way; 0.0 results/s"


def test_it_reads_as_a_table(clock):
    window = StatisticsWindow(10)
    window.add(0.0405, {"roi": 0.0021, "infer": 0.03}, failed=False)
    assert str(window.summary(entrance(2, 1))).splitlines() == [
        "2 frames: 1 segmented, 0 failed, 1 dropped; 0.0 results/s",
        "ms             p50     p95     p99",
        "roi            2.1     2.1     2.1",
        "infer         30.0    30.0    30.0",
        "latency       40.5    40.5    40.5",
    ]
