"""However a stream ends, its threads end with it, and nothing is left open."""

import gc
import itertools
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from drawn_retina import drawn_retina
from gated_engine import PATIENCE, gated_steps, numbered_frame, stream_threads
from tiny_model import write_tiny_model

from retinagan.runtime import EngineError, Segmenter
from retinagan.runtime.stream.stream import Stream, StreamOptions
from retinagan.runtime.stream.threads import StageThreads

TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def engines_have_opened_their_own_files(tmp_path_factory):
    Segmenter(write_tiny_model(tmp_path_factory.mktemp("model")), threads=1).close()


@pytest.fixture(autouse=True)
def nothing_is_left():
    assert stream_threads() == []
    files = open_files()
    yield
    assert stream_threads() == []
    assert open_files() <= files  # others may have been closed meanwhile


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 0


def endless():
    return (numbered_frame(number) for number in itertools.count())


def stream_of(engine, frames=None, **options) -> Stream:
    return Stream(gated_steps(engine), StreamOptions(**options), endless() if frames is None else frames)


@pytest.mark.parametrize("policy", ["every", "latest"])
def test_break(engine, policy):
    for result in stream_of(engine, policy=policy):
        if result.number >= 5:
            break
    assert stream_threads() == []


@pytest.mark.parametrize("policy", ["every", "latest"])
def test_an_exception_in_the_consumer(engine, policy):
    def consume():
        for result in stream_of(engine, policy=policy):
            if result.number >= 5:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        consume()
    assert stream_threads() == []


def test_the_end_of_a_block_while_results_wait(engine):
    with stream_of(engine) as stream:
        next(stream)
        assert len(stream_threads()) == 4
    assert stream_threads() == []
    assert list(stream) == []
    stream.close()


def test_nobody_refers_to_it_any_more(engine):
    stream = stream_of(engine)
    next(stream)
    del stream
    gc.collect()
    assert stream_threads() == []


def test_it_is_garbage_in_a_cycle(engine):
    stream = stream_of(engine)
    cycle = [stream]
    cycle.append(cycle)
    next(stream)
    del stream, cycle
    gc.collect()
    assert stream_threads() == []


def test_it_was_never_read(engine):
    stream_of(engine)
    Stream(gated_steps(engine), StreamOptions())
    assert stream_threads() == []


def test_closing_by_another_thread_wakes_whoever_waits_for_a_result(engine):
    engine.shut()
    stream = stream_of(engine)
    ended = []
    consumer = threading.Thread(target=lambda: ended.append(list(stream)))
    consumer.start()
    engine.wait_for_run()
    closer = threading.Thread(target=stream.close)
    closer.start()
    consumer.join(PATIENCE)
    assert not consumer.is_alive()
    engine.open()
    closer.join(PATIENCE)
    assert ended == [[]]


def test_closing_waits_for_the_engines_present_run_and_starts_no_other(engine):
    engine.shut()
    stream = stream_of(engine)
    engine.wait_for_run()
    closer = threading.Thread(target=stream.close)
    closer.start()
    engine.let_through()
    closer.join(PATIENCE)
    assert not closer.is_alive()
    assert not engine.started.acquire(blocking=False)


def test_an_exception_in_the_source_comes_after_the_results_before_it(engine):
    def source():
        yield from (numbered_frame(number) for number in range(7))
        raise OSError("camera unplugged")

    stream = stream_of(engine, source())
    assert [next(stream).number for _ in range(7)] == list(range(7))
    with pytest.raises(OSError, match="camera unplugged"):
        next(stream)
    assert stream_threads() == []
    assert list(stream) == []


def test_the_sources_own_clean_up_runs(engine, tmp_path):
    cleaned = threading.Event()

    def source():
        with (tmp_path / "video").open("w"):
            try:
                yield from endless()
            finally:
                cleaned.set()

    for _ in stream_of(engine, source()):
        break
    assert cleaned.wait(PATIENCE)


def test_a_source_that_hangs_does_not_hold_up_the_end(engine, monkeypatch):
    monkeypatch.setattr("retinagan.runtime.stream.line.SECONDS_FOR_SOURCE", 0.01)
    unplugged = threading.Event()

    def source():
        yield numbered_frame(0)
        assert unplugged.wait(PATIENCE)
        yield numbered_frame(1)

    with stream_of(engine, source()) as stream:
        assert next(stream).number == 0
    assert stream_threads() == ["retinagan-frames"]
    unplugged.set()
    for thread in threading.enumerate():
        if thread.name == "retinagan-frames":
            thread.join(PATIENCE)


def test_closing_the_segmenter_ends_its_streams(tmp_path):
    frame, _ = drawn_retina(120, 130)
    segmenter = Segmenter(write_tiny_model(tmp_path), threads=1)
    stream = segmenter.stream(itertools.repeat(frame))
    assert next(stream).error is None
    segmenter.close()
    with pytest.raises(EngineError, match='the engine of model "tiny" is closed; open the model again'):
        for _ in stream:
            pass
    with pytest.raises(EngineError, match="is closed"):
        segmenter.stream([])


def test_many_streams_one_after_the_other_leave_nothing(engine):
    for number in range(30):
        with stream_of(engine, policy=("every", "latest")[number % 2]) as stream:
            assert next(stream).error is None
        assert stream_threads() == []


SCRIPT = """
import itertools, sys, threading
from gated_engine import GatedEngine, gated_steps, numbered_frame, stream_threads
from retinagan.runtime.stream.stream import Stream, StreamOptions
engine = GatedEngine()
def endless(): return map(numbered_frame, itertools.count())
{body}
"""


def run_script(body, **options) -> subprocess.Popen:
    code = f"import sys; sys.path.append({str(TESTS)!r})\n" + SCRIPT.format(body=body)
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def test_control_c_while_waiting_for_a_frame():
    process = run_script("""
try:
    with Stream(gated_steps(engine), StreamOptions()) as stream:
        print("waiting", flush=True)
        next(stream)
except KeyboardInterrupt:
    print("interrupted", stream_threads(), list(stream))
""")
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (out, err, process.returncode) == ("interrupted [] []\n", "", 0)


def test_an_interrupt_while_waiting_ends_the_threads(engine, monkeypatch):
    def interrupted(threads, *, wait):
        raise KeyboardInterrupt

    stream = stream_of(engine)
    monkeypatch.setattr(StageThreads, "get", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    assert stream_threads() == []


def test_control_c_in_the_consumer():
    process = run_script("""
def main():
    for result in Stream(gated_steps(engine), StreamOptions(), endless()):
        if result.number == 3:
            print("three", flush=True)
try:
    main()
except KeyboardInterrupt:
    pass
print("threads", stream_threads())
""")
    assert process.stdout.readline() == "three\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (out, err, process.returncode) == ("threads []\n", "", 0)


def test_a_program_may_exit_with_streams_open():
    process = run_script("""
streams = [Stream(gated_steps(engine), StreamOptions(), endless()) for _ in range(3)]
print([next(stream).number for stream in streams])
""")
    out, err = process.communicate(timeout=60)
    assert (out, err, process.returncode) == ("[0, 0, 0]\n", "", 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_says_that_the_threads_are_elsewhere():
    process = run_script("""
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of any fork with threads
stream = Stream(gated_steps(engine), StreamOptions(), endless())
next(stream)
child = os.fork()
if child == 0:
    for use in (lambda: next(stream), lambda: stream.put(numbered_frame(0)), stream.finish):
        try:
            use()
        except Exception as error:
            said = str(error).replace(str(os.getppid()), "P").replace(str(os.getpid()), "C")
            print(type(error).__name__, said)
    stream.close()
    sys.exit()
os.waitpid(child, 0)
print("parent", next(stream).number)
""")
    out, err = process.communicate(timeout=60)
    said = (
        "StreamError this stream was opened in process P, and its threads stayed there; "
        "open segmenter and stream in this process, C\n"
    )
    assert (out, err, process.returncode) == (3 * said + "parent 1\n", "", 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("engine_name", ["onnxruntime", "openvino"])
def test_a_fork_cannot_use_its_parents_engine_and_ends(tmp_path, engine_name):
    pytest.importorskip(engine_name)
    process = run_script(f"""
import os, warnings
from drawn_retina import drawn_retina
from retinagan.runtime import Segmenter
warnings.simplefilter("ignore", DeprecationWarning)
frame, _ = drawn_retina(120, 130)
segmenter = Segmenter({str(write_tiny_model(tmp_path))!r}, device="cpu", engine="{engine_name}", threads=2)
segmenter(frame)
child = os.fork()
if child == 0:
    for use in (lambda: segmenter(frame), lambda: segmenter.stream([frame]), segmenter.warmup):
        try:
            use()
        except Exception as error:
            print(type(error).__name__, error, flush=True)
    segmenter.close()
    os._exit(0)
print("child", os.waitpid(child, 0)[1], "parent", segmenter(frame).vessels.any())
""")
    out, err = process.communicate(timeout=120)
    said = (
        'EngineError the engine of model "tiny" was opened before a fork; '
        "open the model in the process that uses it\n"
    )
    assert (out, err, process.returncode) == (3 * said + "child 0 parent True\n", "", 0)
