import ctypes

import numpy as np
import pytest

from retinagan.runtime.engines.cuda.context import PrimaryContext, import_pycuda
from retinagan.runtime.engines.cuda.graph import CudaGraph
from retinagan.runtime.errors import EngineError


class Work:
    """Copies an array to the GPU and back, on a stream."""

    def __init__(self, cuda) -> None:
        self.cuda = cuda
        self.stream = cuda.Stream()
        self.given, self.got = (cuda.pagelocked_empty((4,), np.float32) for _ in range(2))
        self.memory = cuda.mem_alloc(self.given.nbytes)
        self.enqueued = 0
        self.given[:] = self.got[:] = 0

    def enqueue(self) -> None:
        self.enqueued += 1
        self.cuda.memcpy_htod_async(self.memory, self.given, self.stream)
        self.cuda.memcpy_dtoh_async(self.got, self.memory, self.stream)

    def waited(self, value) -> list[float]:
        """Give what comes back for a value when the stream has done its work."""
        self.given[:] = value
        self.stream.synchronize()
        return self.got.tolist()

    def free(self) -> None:
        self.memory.free()
        for array in (self.given, self.got):
            array.base.free()


@pytest.fixture
def work(gpu):
    context = PrimaryContext(import_pycuda())
    with context.current():
        work = Work(import_pycuda())
        yield work
        work.free()
        work.stream = None
    context.release()


def test_recorded_work_runs_at_each_launch(gpu, work):
    graph = CudaGraph(work.stream.handle, work.enqueue)
    assert work.waited(1) == [0] * 4  # nothing runs while it is recorded
    launches = gpu.launches
    for value in (2, 3):
        graph.launch()
        assert work.waited(value) == [value] * 4
    assert work.enqueued == 1
    assert gpu.launches - launches == 2
    graph.close()
    assert gpu.graphs == 0


def test_it_keeps_the_launchable_graph_and_not_the_recording(gpu, work):
    graph = CudaGraph(work.stream.handle, work.enqueue)
    assert gpu.graphs == 1
    graph.close()


def test_a_driver_that_does_not_record(gpu, work):
    gpu.refuses_recording = 1
    with pytest.raises(EngineError, match="cuStreamBeginCapture_v2 returns error 900"):
        CudaGraph(work.stream.handle, work.enqueue)
    assert work.enqueued == 0
    work.enqueue()
    assert work.waited(5) == [5] * 4


def test_work_that_fails_leaves_the_stream_usable(gpu, work):
    def broken():
        work.enqueue()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        CudaGraph(work.stream.handle, broken)
    assert gpu.graphs == 0
    assert work.waited(5) == [0] * 4
    work.enqueue()
    assert work.waited(6) == [6] * 4


def test_work_that_waits_for_the_stream_cannot_be_recorded(gpu, work):
    def waiting():
        work.enqueue()
        gpu.calls.cuStreamSynchronize(handle)

    handle = ctypes.c_void_p(work.stream.handle)
    with pytest.raises(EngineError, match="cuStreamEndCapture returns error 901"):
        CudaGraph(work.stream.handle, waiting)
    assert gpu.graphs == 0
    work.enqueue()
    assert work.waited(7) == [7] * 4


def test_a_launch_that_the_driver_refuses(gpu, work):
    graph = CudaGraph(work.stream.handle, work.enqueue)
    for _ in range(32):
        graph.launch()
    with pytest.raises(EngineError, match="cuGraphLaunch returns error 1"):
        graph.launch()  # the fake stream takes no more
    work.stream.synchronize()
    graph.close()
