import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from retinagan.runtime.batch.overlap import overlapped


def test_results_come_in_order():
    stages = [lambda number: number + 1, lambda number: number * 2, str]
    assert list(overlapped(range(50), stages, in_flight=4)) == [str(2 * (n + 1)) for n in range(50)]


def test_no_items():
    assert list(overlapped([], [str], in_flight=4)) == []


def test_stages_overlap_each_in_a_thread_of_its_own():
    # Each stage waits until the other is at work on the next item: alone, neither would ever go on.
    meeting = threading.Barrier(2, timeout=20)
    threads = [set(), set()]

    def first(number):
        threads[0].add(threading.get_ident())
        if number > 0:
            meeting.wait()
        return number

    def second(number):
        threads[1].add(threading.get_ident())
        if number < 9:
            meeting.wait()
        return number

    assert list(overlapped(range(10), [first, second], in_flight=3)) == list(range(10))
    assert [len(idents) for idents in threads] == [1, 1]
    assert threading.get_ident() not in threads[0] | threads[1]
    assert threads[0] != threads[1]


def test_no_more_items_are_drawn_than_may_be_in_flight():
    drawn = itertools.count()
    items = (next(drawn) for _ in range(1000))
    with closing(overlapped(items, [str, str], in_flight=3)) as results:
        assert [next(results) for _ in range(10)] == [str(number) for number in range(10)]
        assert next(drawn) <= 10 + 3


def test_an_error_in_a_stage_takes_its_results_place_and_ends_the_rest():
    seen = []

    def fail_at_3(number):
        seen.append(number)
        if number == 3:
            raise ValueError("three")
        return number

    results = overlapped(range(1000), [str, int, fail_at_3], in_flight=4)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    assert len(seen) <= 3 + 4
    assert [thread for thread in threading.enumerate() if thread.name.startswith("stage-")] == []


def test_an_error_in_the_items_ends_the_threads():
    def items():
        yield from range(3)
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        list(overlapped(items(), [str], in_flight=10))
    assert [thread for thread in threading.enumerate() if thread.name.startswith("stage-")] == []


def test_closing_waits_for_what_runs_and_drops_what_waits(monkeypatch):
    started, finish, finished = threading.Event(), threading.Event(), []

    def slow(number):
        if number == 1:
            started.set()
            assert finish.wait(20)
        finished.append(number)
        return number

    results = overlapped(range(100), [slow], in_flight=5)
    assert next(results) == 0
    assert started.wait(20)
    shutdown = ThreadPoolExecutor.shutdown

    def finish_when_cancelled(pool, wait=True, *, cancel_futures=False):
        shutdown(pool, wait=False, cancel_futures=cancel_futures)
        finish.set()
        shutdown(pool, wait=wait)

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", finish_when_cancelled)
    results.close()
    assert finished == [0, 1]
    assert [thread for thread in threading.enumerate() if thread.name.startswith("stage-")] == []
