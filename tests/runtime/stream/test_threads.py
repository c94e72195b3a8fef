import itertools
import queue
import threading
from contextlib import closing

import pytest

from retinagan.runtime.stream.threads import StageThreads, overlapped

PATIENCE = 20.0


def line(*stages, room=2, drop_oldest=False, changed=None) -> StageThreads:
    named = [(f"test-stage-{number}", stage) for number, stage in enumerate(stages)]
    return StageThreads(named, room=room, drop_oldest=drop_oldest, changed=changed)


def append(text):
    return lambda item: item.append(text)


def feed(threads, items) -> threading.Thread:
    def put_all():
        for item in items:
            threads.put(item)
        threads.finish()

    feeder = threading.Thread(target=put_all)
    feeder.start()
    return feeder


def drain(threads) -> list:
    return list(iter(threads.get, None))


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    left = [thread for thread in threading.enumerate() if thread.name.startswith("test-stage")]
    for thread in left:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_items_pass_all_stages_in_order():
    threads = line(append("a"), append("b"), append("c"))
    feeder = feed(threads, [[number] for number in range(50)])
    assert drain(threads) == [[number, "a", "b", "c"] for number in range(50)]
    feeder.join()
    threads.join()
    assert threads.ended
    assert (threads.received, threads.dropped) == (50, 0)
    assert threads.get() is None


def test_each_stage_holds_one_item_and_the_room_the_rest():
    threads = line(append("a"), append("b"), room=2)
    for number in range(4):
        threads.put([number])
    with pytest.raises(queue.Full):
        threads.put([4], wait=False)
    assert threads.received == 4
    assert [threads.get()[0] for _ in range(2)] == [0, 1]
    threads.stop()


def test_stages_work_at_the_same_time():
    meeting = threading.Barrier(2, timeout=PATIENCE)
    # Each stage waits until the other is at work on the neighbouring item: alone, neither would go on.
    threads = line(
        lambda item: meeting.wait() if item[0] > 0 else None,
        lambda item: meeting.wait() if item[0] < 9 else None,
    )
    feed(threads, [[number] for number in range(10)])
    assert drain(threads) == [[number] for number in range(10)]


def test_the_oldest_that_waits_is_dropped():
    begun, go_on = threading.Event(), threading.Event()

    def wait_once(item):
        begun.set()
        assert go_on.wait(PATIENCE)

    threads = line(wait_once, room=2, drop_oldest=True)
    threads.put([0])
    assert begun.wait(PATIENCE)
    for number in range(1, 6):
        assert threads.put([number])
    threads.finish()
    go_on.set()
    assert drain(threads) == [[0], [4], [5]]
    assert (threads.received, threads.dropped) == (6, 3)


def test_nothing_yet():
    threads = line(append("a"))
    with pytest.raises(queue.Empty):
        threads.get(wait=False)
    threads.stop()
    assert threads.get(wait=False) is None


def test_changes_are_told():
    told = threading.Event()
    threads = line(append("a"), changed=told.set)
    threads.put([0])
    while True:
        assert told.wait(PATIENCE)
        told.clear()
        try:
            item = threads.get(wait=False)
            break
        except queue.Empty:
            continue
    assert item == [0, "a"]
    threads.stop()
    threads.join()
    assert told.is_set()


@pytest.mark.parametrize("failing", [0, 1, 2])
@pytest.mark.parametrize("kind", [ValueError, SystemExit])
def test_a_thread_that_dies_is_told_after_the_items_before(failing, kind):
    def fail_at_3(item):
        if item[0] == 3:
            raise kind("three")

    stages = [append("x")] * 3
    stages[failing] = fail_at_3
    threads = line(*stages)
    feeder = feed(threads, [[number] for number in range(100)])
    assert [threads.get()[0] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(kind, match="three"):
        threads.get()
    assert threads.get() is None
    assert threads.put([0]) is False
    feeder.join(PATIENCE)
    assert not feeder.is_alive()


def test_what_ended_the_source_is_told_after_its_items():
    threads = line(append("a"))
    threads.put([0])
    threads.finish(OSError("unplugged"))
    assert threads.put([1]) is False
    assert threads.get() == [0, "a"]
    with pytest.raises(OSError, match="unplugged"):
        threads.get()
    assert threads.get() is None


@pytest.mark.parametrize("who", ["put", "get"])
def test_stopping_wakes_who_waits(who):
    begun, go_on = threading.Event(), threading.Event()
    threads = line(lambda item: (begun.set(), go_on.wait(PATIENCE)), room=1)
    answers = []
    if who == "put":
        threads.put([0])
        assert begun.wait(PATIENCE)
        waiting = threading.Thread(target=lambda: [answers.append(threads.put([n])) for n in range(3)])
    else:
        waiting = threading.Thread(target=lambda: answers.append(threads.get()))
    waiting.start()
    threads.stop()
    waiting.join(PATIENCE)
    assert not waiting.is_alive()
    assert answers[-1] is (False if who == "put" else None)
    assert not threads.ended or who == "get"
    go_on.set()
    threads.join()
    assert threads.ended


def test_stopping_drops_what_waits():
    begun, go_on, done = threading.Event(), threading.Event(), []

    def slow(item):
        begun.set()
        assert go_on.wait(PATIENCE)
        done.append(item)

    threads = line(slow)
    for number in range(3):
        threads.put([number])
    assert begun.wait(PATIENCE)
    threads.stop()
    threads.join(0.0)
    go_on.set()
    threads.join()
    assert done == [[0]]


def test_a_stage_may_stop_the_line_that_it_works_in():
    threads = line(lambda item: (threads.stop(), threads.join()), append("b"))
    threads.put([0])
    threads.join()
    assert threads.get() is None


def add(name):
    """A stage that notes its name in the item."""
    return name, lambda item: item.append(name)


def running() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("overlapped-")]


def test_a_bounded_line_gives_items_in_order():
    stages = [add("overlapped-a"), add("overlapped-b")]
    done = list(overlapped(([number] for number in range(50)), stages, in_flight=4))
    assert done == [[number, "overlapped-a", "overlapped-b"] for number in range(50)]
    assert running() == []
    assert list(overlapped([], stages, in_flight=4)) == []


def test_stages_of_a_bounded_line_overlap_each_in_a_thread_of_its_own():
    # Each stage waits until the other is at work on the next item: alone, neither would ever go on.
    meeting = threading.Barrier(2, timeout=PATIENCE)
    idents = [set(), set()]

    def first(item):
        idents[0].add(threading.get_ident())
        if item[0] > 0:
            meeting.wait()

    def second(item):
        idents[1].add(threading.get_ident())
        if item[0] < 9:
            meeting.wait()

    stages = [("overlapped-a", first), ("overlapped-b", second)]
    assert len(list(overlapped(([n] for n in range(10)), stages, in_flight=3))) == 10
    assert [len(found) for found in idents] == [1, 1]
    assert threading.get_ident() not in idents[0] | idents[1]
    assert idents[0] != idents[1]


def test_a_bounded_line_draws_no_more_items_than_may_be_in_flight():
    drawn = itertools.count()
    items = ([next(drawn)] for _ in range(1000))
    with closing(overlapped(items, [add("overlapped-a")], in_flight=3)) as results:
        assert [next(results)[0] for _ in range(10)] == list(range(10))
        assert next(drawn) <= 10 + 3
    assert running() == []


def test_an_error_in_a_stage_takes_its_items_place_and_ends_the_rest():
    seen = []

    def fail_at_3(item):
        seen.append(item)
        if item[0] == 3:
            raise ValueError("three")

    stages = [add("overlapped-a"), ("overlapped-b", fail_at_3)]
    results = overlapped(([number] for number in range(1000)), stages, in_flight=4)
    assert [next(results)[0] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    assert len(seen) == 4
    assert running() == []


def test_an_error_in_the_items_ends_the_threads():
    def items():
        yield [0]
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        list(overlapped(items(), [add("overlapped-a")], in_flight=10))
    assert running() == []


def test_closing_a_bounded_line_waits_for_what_runs_and_drops_what_waits():
    started, finish, finished = threading.Event(), threading.Event(), []

    def slow(item):
        if item[0] == 1:
            started.set()
            assert finish.wait(PATIENCE)
        finished.append(item[0])

    results = overlapped(([number] for number in range(100)), [("overlapped-a", slow)], in_flight=5)
    assert next(results) == [0]
    assert started.wait(PATIENCE)
    closer = threading.Thread(target=results.close)
    closer.start()
    closer.join(0.05)
    assert closer.is_alive()
    finish.set()
    closer.join(PATIENCE)
    assert finished == [0, 1]
    assert running() == []
