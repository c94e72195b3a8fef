import asyncio
import gc
import itertools
import threading

import numpy as np
import pytest
from drawn_retina import drawn_retina
from gated_engine import PATIENCE, gated_steps, numbered_frame, stream_threads

from retinagan.runtime import EngineError, ImageError, StreamError
from retinagan.runtime.stream.asynchronous import AsyncStream
from retinagan.runtime.stream.stream import StreamOptions


@pytest.fixture(autouse=True)
def no_thread_is_left():
    assert stream_threads() == []
    yield
    # Threads of a stream that was left, and not closed, end by themselves.
    for thread in threading.enumerate():
        if thread.name.startswith("retinagan-"):
            thread.join(PATIENCE)
            assert not thread.is_alive()


def run(main):
    """Run a coroutine in debug mode, which reports what blocks or is never awaited."""
    return asyncio.run(asyncio.wait_for(main, 60), debug=True)


async def endless():
    for number in itertools.count():
        await asyncio.sleep(0)
        yield numbered_frame(number)


def stream_of(engine, frames=None, **options) -> AsyncStream:
    return AsyncStream(gated_steps(engine), StreamOptions(**options), endless() if frames is None else frames)


async def some(frames):
    for frame in frames:
        await asyncio.sleep(0)
        yield frame


@pytest.mark.parametrize("kind", [list, iter, some])
def test_results_are_those_of_the_segmenter_in_order(segmenter, kind):
    image, _ = drawn_retina(120, 130)
    frames = [np.where(image > 0, image - np.uint8(3 * number), image) for number in range(6)]
    frames.insert(3, np.zeros((4, 4)))

    async def main():
        stream = segmenter.astream(kind(frames), reuse_roi=False)
        return [result async for result in stream], stream.statistics()

    results, statistics = run(main())
    assert stream_threads() == []
    assert [result.number for result in results] == list(range(7))
    for result, frame in zip(results, frames, strict=True):
        if result.number == 3:
            assert isinstance(result.error, ImageError)
        else:
            expected = segmenter(frame).probability
            np.testing.assert_array_equal(result.segmentation.probability, expected)
    assert (statistics.received, statistics.segmented, statistics.failed) == (7, 6, 1)


def test_the_event_loop_goes_on_while_the_engine_runs(engine):
    async def main():
        engine.shut()
        async with stream_of(engine) as stream:
            first = asyncio.ensure_future(stream.__anext__())
            await asyncio.to_thread(engine.wait_for_run)
            for _ in range(100):
                await asyncio.sleep(0)
            assert not first.done()
            engine.open()
            assert (await first).number == 0

    run(main())


def test_every_frame_with_back_pressure(engine):
    drawn = []

    async def source():
        for number in range(12):
            drawn.append(number)
            yield numbered_frame(number)

    async def main():
        engine.shut()
        async with stream_of(engine, source(), queue=2) as stream:
            await asyncio.to_thread(engine.wait_for_run)
            for _ in range(100):
                await asyncio.sleep(0)
            assert len(drawn) <= 5
            engine.open()
            assert [result.number async for result in stream] == list(range(12))

    run(main())


def test_the_latest_frames(engine):
    async def source():
        yield numbered_frame(0)
        await asyncio.to_thread(engine.wait_for_run)
        for number in range(1, 20):
            yield numbered_frame(number)
        engine.open()

    async def main():
        engine.shut()
        async with stream_of(engine, source(), policy="latest", queue=2) as stream:
            return [result.number async for result in stream], stream.statistics()

    numbers, statistics = run(main())
    assert numbers[0] == 0
    assert numbers[-2:] == [18, 19]
    assert statistics.dropped == 20 - len(numbers)
    assert len(numbers) <= 4


def test_cancelling_the_task_that_fetches(engine):
    async def main():
        engine.shut()
        task = asyncio.ensure_future(consume())
        await asyncio.to_thread(engine.wait_for_run)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        engine.open()

    async def consume():
        async for _ in stream_of(engine):
            pass

    run(main())


def test_a_time_limit_on_one_result(engine):
    async def main():
        engine.shut()
        async with stream_of(engine) as stream:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(stream.__anext__(), 0.01)
            engine.open()
        assert stream_threads() == []
        assert [result async for result in stream] == []

    run(main())


def test_break_and_an_exception_in_the_consumer(engine):
    async def fail():
        async with stream_of(engine) as stream:
            async for _ in stream:
                raise ZeroDivisionError

    async def main():
        async for result in stream_of(engine):
            if result.number == 5:
                break
        with pytest.raises(ZeroDivisionError):
            await fail()
        async for _ in stream_of(engine, map(numbered_frame, itertools.count())):
            break
        gc.collect()

    run(main())


def test_closing_waits_for_the_threads(engine):
    async def main():
        for frames in (None, map(numbered_frame, itertools.count())):
            stream = stream_of(engine, frames)
            await stream.__anext__()
            await stream.aclose()
            assert stream_threads() == []
            await stream.aclose()

    run(main())


def test_a_source_that_hangs_does_not_hold_up_the_end(engine, monkeypatch):
    monkeypatch.setattr("retinagan.runtime.stream.asynchronous.SECONDS_FOR_SOURCE", 0.01)
    unplugged = threading.Event()

    def source():
        yield numbered_frame(0)
        assert unplugged.wait(PATIENCE)

    async def asynchronous_source():
        yield numbered_frame(0)
        await asyncio.Event().wait()

    async def main():
        async with stream_of(engine, source()) as stream:
            await stream.__anext__()
        unplugged.set()
        async with stream_of(engine, asynchronous_source()) as stream:
            await stream.__anext__()

    run(main())


@pytest.mark.parametrize("asynchronous", [True, False])
def test_an_exception_in_the_source_comes_after_the_results_before_it(engine, asynchronous):
    def source():
        yield from (numbered_frame(number) for number in range(7))
        raise OSError("camera unplugged")

    numbers = []

    async def main():
        async for result in stream_of(engine, some(source()) if asynchronous else source()):
            numbers.append(result.number)

    with pytest.raises(OSError, match="camera unplugged"):
        run(main())
    assert numbers == list(range(7))


def test_a_failing_engine_ends_it(engine):
    engine.failures = 3

    async def main():
        async for _ in stream_of(engine):
            pass

    with pytest.raises(EngineError, match="3 frames in a row"):
        run(main())


def test_a_loop_that_ends_with_a_stream_open(engine):
    kept = []

    async def main():
        kept.append(stream_of(engine))
        return (await kept[0].__anext__()).number

    assert run(main()) == 0
    kept.clear()
    gc.collect()
    for thread in threading.enumerate():
        if thread.name.startswith("retinagan-"):
            thread.join(PATIENCE)
    assert stream_threads() == []


def test_wrong_options_and_no_loop(segmenter):
    async def main():
        with pytest.raises(StreamError, match='policy: got \'all\'; expected "every" or "latest"'):
            segmenter.astream([], policy="all")
        with pytest.raises(StreamError, match="frames: 'int' object is not iterable; expected an iterable"):
            segmenter.astream(5)

    run(main())
    with pytest.raises(RuntimeError, match="no running event loop"):
        segmenter.astream([])
