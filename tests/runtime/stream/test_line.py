import os
import queue
import threading
from contextlib import suppress
from time import perf_counter

import pytest
from gated_engine import PATIENCE, gated_steps, numbered_frame, stream_threads

from retinagan.runtime.errors import EngineError, StreamError
from retinagan.runtime.stream.line import FrameLine, StreamOptions


@pytest.fixture
def open_line(engine):
    """Opens lines of the gated engine, and closes them at the end."""
    lines = []

    def open_line(changed=None, **options):
        lines.append(FrameLine(gated_steps(engine), StreamOptions(**options), changed))
        return lines[-1]

    yield open_line
    engine.open()
    for line in lines:
        line.close()
    assert stream_threads() == []


def numbers(line):
    return [result.number for result in iter(line.get, None)]


def test_options_by_default():
    assert StreamOptions() == StreamOptions(policy="every", queue=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"policy": "newest"}, 'policy: got \'newest\'; expected "every" or "latest"'),
        ({"policy": None}, 'policy: got None; expected "every" or "latest"'),
        ({"queue": 0}, "queue: got 0; expected a whole number of frames from 1"),
        ({"queue": -1}, "queue: got -1; expected a whole number of frames from 1"),
        ({"queue": True}, "queue: got True; expected a whole number of frames from 1"),
        ({"queue": 2.0}, "queue: got 2.0; expected a whole number of frames from 1"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(StreamError) as caught:
        StreamOptions(**options)
    assert str(caught.value) == message


def test_frames_are_numbered_as_they_come_and_go_out_in_order(open_line):
    line = open_line(queue=8)
    frames = [numbered_frame(number) for number in range(5)]
    assert [line.put(frame) for frame in frames] == list(range(5))
    line.finish()
    results = list(iter(line.get, None))
    assert [result.number for result in results] == list(range(5))
    assert all(result.frame is frame for result, frame in zip(results, frames, strict=True))


def test_after_the_last_frame_there_is_none_and_no_more_are_taken(open_line):
    line = open_line()
    line.put(numbered_frame(0))
    line.finish()
    assert line.put(numbered_frame(1)) is None
    assert numbers(line) == [0]
    assert line.get() is None
    line.close()
    assert line.ended
    assert line.statistics().received == 1


def test_who_cannot_wait_is_told_that_it_is_full_or_empty(open_line, engine):
    engine.shut()
    line = open_line(queue=1)
    with pytest.raises(queue.Empty):
        line.get(wait=False)
    for number in range(3):  # one in the engine, one prepared, one that waits
        line.put(numbered_frame(number))
    engine.wait_for_run()
    accepted = offered(line, 20)
    with pytest.raises(queue.Full):
        line.put(numbered_frame(99), wait=False)
    engine.open()
    line.finish()
    assert numbers(line) == list(range(3 + accepted))


def offered(line, count):
    """Offer frames without waiting; give how many were taken."""
    before = line.statistics().received
    for number in range(count):
        with suppress(queue.Full):
            line.put(numbered_frame(number), wait=False)
    return line.statistics().received - before


def test_a_frame_that_found_no_room_has_no_number(open_line, engine):
    engine.shut()
    line = open_line(queue=1)
    refused = 0
    given = []
    for number in range(20):
        try:
            given.append(line.put(numbered_frame(number), wait=False))
        except queue.Full:
            refused += 1
    assert refused > 0
    assert given == list(range(len(given)))
    assert line.statistics().received == len(given)


def test_a_failure_at_the_end_comes_after_the_last_result_and_once(open_line):
    line = open_line()
    line.put(numbered_frame(0))
    line.finish(OSError("camera unplugged"))
    assert line.get().number == 0
    with pytest.raises(OSError, match="camera unplugged"):
        line.get()
    assert line.get() is None


def test_an_engine_that_keeps_failing_ends_it(open_line, engine):
    engine.failures = 3
    line = open_line(queue=4)
    for number in range(4):
        line.put(numbered_frame(number))
    assert [str(line.get().error) for _ in range(2)] == ["gated failed"] * 2
    with pytest.raises(EngineError, match="the engine failed on 3 frames in a row: gated failed"):
        line.get()
    assert line.put(numbered_frame(4)) is None


def test_what_was_dropped_has_a_number_and_no_result(open_line, engine):
    engine.shut()
    line = open_line(policy="latest", queue=1)
    for number in range(10):
        assert line.put(numbered_frame(number), wait=False) == number
    line.finish()
    engine.open()
    shown = numbers(line)
    assert shown == sorted(set(shown))
    assert shown[-1] == 9
    statistics = line.statistics()
    assert (statistics.received, statistics.dropped) == (10, 10 - len(shown))
    assert statistics.dropped >= 6


def test_latency_counts_from_the_frames_arrival(open_line):
    line = open_line()
    line.put(numbered_frame(0), arrived=perf_counter() - 100.0)
    line.put(numbered_frame(1))
    early, late = line.get(), line.get()
    assert early.latency > 100.0
    assert sum(late.seconds.values()) <= late.latency < early.latency
    with pytest.raises(TypeError, match="does not support item assignment"):
        late.seconds["roi"] = 0.0


def test_a_failed_frame_is_counted_as_one(open_line):
    line = open_line()
    for frame in (numbered_frame(0), "frame", numbered_frame(1)):
        line.put(frame)
    line.finish()
    results = list(iter(line.get, None))
    assert [result.error is None for result in results] == [True, False, True]
    assert [result.segmentation is None for result in results] == [False, True, False]
    statistics = line.statistics()
    assert (statistics.segmented, statistics.failed) == (2, 1)


def test_changes_are_told_so_that_nobody_need_wait(open_line):
    changed = threading.Event()
    line = open_line(changed.set)
    line.put(numbered_frame(0))
    while True:
        assert changed.wait(PATIENCE)
        changed.clear()
        try:
            assert line.get(wait=False).number == 0
            break
        except queue.Empty:
            continue


def test_stopping_drops_what_waits(open_line, engine):
    engine.shut()
    line = open_line(queue=4)
    for number in range(4):
        line.put(numbered_frame(number))
    engine.wait_for_run()
    line.stop()
    assert line.get() is None
    assert line.put(numbered_frame(4)) is None
    engine.open()
    line.close()
    line.close()
    assert line.ended
    assert not engine.started.acquire(blocking=False)


def test_frames_are_drawn_from_a_source_until_it_ends(open_line):
    line = open_line()
    assert line.source_ended
    line.draw_from(iter([numbered_frame(number) for number in range(6)]))
    assert numbers(line) == list(range(6))
    assert line.source_ended


def test_a_source_that_fails_is_told_after_its_frames(open_line):
    def source():
        yield numbered_frame(0)
        raise OSError("camera unplugged")

    line = open_line()
    line.draw_from(source())
    assert line.get().number == 0
    with pytest.raises(OSError, match="camera unplugged"):
        line.get()


@pytest.mark.parametrize("wait_for_source", [True, False])
def test_a_source_that_hangs_does_not_hold_up_the_end(open_line, monkeypatch, wait_for_source):
    monkeypatch.setattr("retinagan.runtime.stream.line.SECONDS_FOR_SOURCE", 0.01)
    unplugged = threading.Event()

    def source():
        yield numbered_frame(0)
        assert unplugged.wait(PATIENCE)

    line = open_line()
    line.draw_from(source())
    assert line.get().number == 0
    line.close(wait_for_source=wait_for_source)
    assert line.ended
    assert not line.source_ended
    (feeder,) = [thread for thread in threading.enumerate() if thread.name == "retinagan-frames"]
    unplugged.set()
    feeder.join(PATIENCE)
    assert line.source_ended


def test_another_process_is_told_where_the_threads_are(open_line, monkeypatch):
    line = open_line()
    line.put(numbered_frame(0))
    assert line.get().number == 0  # none is on its way while the process seems to be another
    here = os.getpid()
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(os, "getpid", lambda: here + 1)
        for use in (line.get, lambda: line.put(numbered_frame(1)), line.finish):
            with pytest.raises(StreamError) as caught:
                use()
            assert str(caught.value) == (
                f"this stream was opened in process {here}, and its threads stayed there; "
                f"open segmenter and stream in this process, {here + 1}"
            )
        line.stop()
        line.close()
    line.put(numbered_frame(1))
    assert line.get().number == 1
