import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from retinagan.runtime.engines.pool import Pool
from retinagan.runtime.errors import EngineError


class Maker:
    """Makes numbered things, and raises `error` from the thing number `limit` on."""

    def __init__(self, limit: int = 100, error: Exception | None = None):
        self.made, self.limit, self.error = 0, limit, error

    def __call__(self) -> int:
        if self.made >= self.limit:
            raise self.error
        self.made += 1
        return self.made


def test_one_thread_needs_one_thing():
    maker = Maker()
    pool = Pool(maker, 3)
    for _ in range(5):
        with pool.lend() as thing:
            assert thing == 1
    assert maker.made == 1
    assert pool.drain() == [1]
    assert pool.drain() == []


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_thing_serves_one_thread_at_a_time(limit):
    maker = Maker()
    pool, lent, lock = Pool(maker, limit), [], threading.Lock()

    def use(_):
        with pool.lend() as thing:
            with lock:
                assert thing not in lent
                lent.append(thing)
            with lock:
                lent.remove(thing)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(200)))
    assert maker.made <= limit


def test_a_thing_comes_back_after_an_error():
    pool = Pool(Maker(), 1)
    with pytest.raises(KeyError), pool.lend():
        raise KeyError
    with pool.lend() as thing:
        assert thing == 1


def test_where_one_more_cannot_be_made_those_that_are_there_serve():
    pool = Pool(Maker(1, EngineError("no memory")), 2)
    with pool.lend() as first:
        waiting = []
        thread = threading.Thread(target=lambda: waiting.append(pool.lend().__enter__()))
        thread.start()
    thread.join(10)
    assert waiting == [first]


def test_where_none_can_be_made_each_call_is_told():
    pool = Pool(Maker(0, EngineError("no memory")), 2)
    for _ in range(2):
        with pytest.raises(EngineError, match="no memory"), pool.lend():
            pass


def test_a_fault_of_the_maker_is_not_hidden():
    pool = Pool(Maker(1, KeyError("fault")), 2)
    with pool.lend(), pytest.raises(KeyError), pool.lend():
        pass
