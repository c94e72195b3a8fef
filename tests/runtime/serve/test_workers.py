import asyncio
import threading

import pytest

from retinagan.runtime.serve.errors import BusyError
from retinagan.runtime.serve.workers import ClientGoneError, Workers


@pytest.fixture
def workers():
    made = Workers(1, 2)
    yield made
    made.close()


def never() -> asyncio.Event:
    return asyncio.Event()


def test_a_job_gives_its_result_or_its_exception(workers):
    async def work():
        assert await workers.run(lambda: 42, never().wait()) == 42
        with pytest.raises(ZeroDivisionError):
            await workers.run(lambda: 1 / 0, never().wait())

    asyncio.run(work())


def test_places_are_taken_and_given_back(workers):
    with workers.place(), workers.place(), workers.place():
        assert workers.taken == 3
        with pytest.raises(
            BusyError, match="all 3 places are taken: 1 for images at work, 2 for images"
        ) as caught:
            workers.place().__enter__()
        assert caught.value.retry_after == 1
    assert workers.taken == 0


def test_a_place_is_given_back_after_an_error(workers):
    with pytest.raises(KeyError), workers.place():
        raise KeyError
    assert workers.taken == 0


@pytest.mark.parametrize(("took", "expected"), [(0.1, 1), (4.0, 12), (1000.0, 60)])
def test_when_to_come_again_follows_from_how_long_jobs_took(workers, took, expected):
    workers._seconds.extend([took] * 5)
    with workers.place(), workers.place(), workers.place():
        assert workers.retry_after == expected


def test_a_job_whose_client_has_gone_is_dropped_before_it_starts(workers):
    ran = []

    async def work():
        gate, gone = threading.Event(), asyncio.Event()
        at_work = asyncio.create_task(workers.run(gate.wait, never().wait()))
        waiting = asyncio.create_task(workers.run(lambda: ran.append(1), gone.wait()))
        await asyncio.sleep(0)
        gone.set()
        with pytest.raises(ClientGoneError):
            await waiting
        gate.set()
        assert await at_work

    asyncio.run(work())
    assert ran == []


def test_a_job_at_work_is_waited_for_though_its_client_has_gone(workers):
    async def work():
        started, gate, gone = threading.Event(), threading.Event(), asyncio.Event()

        def job():
            started.set()
            return gate.wait(20)

        at_work = asyncio.create_task(workers.run(job, gone.wait()))
        await asyncio.to_thread(started.wait, 20)
        gone.set()
        for _ in range(10):
            await asyncio.sleep(0)
        assert not at_work.done()
        gate.set()
        assert await at_work

    asyncio.run(work())


def test_as_many_jobs_run_at_once_as_there_are_threads():
    workers = Workers(2, 0)
    together = threading.Barrier(2, timeout=20)

    async def work():
        await asyncio.gather(*(workers.run(together.wait, never().wait()) for _ in range(2)))

    asyncio.run(work())
    workers.close()
