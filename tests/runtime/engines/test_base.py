import threading

import numpy as np
import pytest
from tiny_model import tiny_spec

from retinagan.runtime.engines import EngineAdapter
from retinagan.runtime.engines.base import PIXELS_PER_RUN
from retinagan.runtime.errors import EngineError


class RecordingAdapter(EngineAdapter):
    """Gives each patch's mean; records what it was given, and waits for `go` before it ends."""

    def __init__(self):
        self.sizes, self.closed = [], 0
        self.entered, self.go = threading.Event(), threading.Event()
        self.go.set()
        super().__init__(tiny_spec(), "recording")

    def _run(self, image, roi, out):
        assert image.flags.c_contiguous
        assert roi.flags.c_contiguous
        self.sizes.append(len(image))
        self.entered.set()
        self.go.wait()
        out[...] = image.mean(axis=(1, 2, 3), keepdims=True)

    def _close(self):
        self.closed += 1


def inputs(count: int, side: int):
    image = np.arange(count, dtype=np.float32)[:, None, None, None] * np.ones((1, 3, side, side), np.float32)
    return image, np.ones((count, 1, side, side), np.float32)


def call_until_refused(function):
    while True:
        function()


@pytest.mark.parametrize(
    ("count", "side", "sizes"), [(5, 256, [4, 1]), (3, 512, [1, 1, 1]), (2, 1024, [1, 1])]
)
def test_an_engine_gets_a_bounded_number_of_pixels_at_once(count, side, sizes):
    adapter = RecordingAdapter()
    probability = adapter.infer(*inputs(count, side))
    assert adapter.sizes == sizes
    assert all(size == 1 or size * side * side <= PIXELS_PER_RUN for size in sizes)
    np.testing.assert_array_equal(probability[:, 0, 0, 0], np.arange(count))


def test_close_waits_for_the_call_that_runs():
    adapter = RecordingAdapter()
    adapter.go.clear()
    results = []
    call = threading.Thread(target=lambda: results.append(adapter.infer(*inputs(1, 8))))
    call.start()
    assert adapter.entered.wait(10)
    close = threading.Thread(target=adapter.close)
    close.start()
    with pytest.raises(EngineError, match="closed"):
        call_until_refused(adapter.check_open)
    assert adapter.closed == 0
    adapter.go.set()
    call.join()
    close.join()
    assert len(results) == 1
    assert adapter.closed == 1


def test_a_failing_run_does_not_keep_close_waiting():
    adapter = RecordingAdapter()
    adapter._run = lambda image, roi, out: 1 / 0
    with pytest.raises(ZeroDivisionError):
        adapter.infer(*inputs(1, 8))
    adapter.close()
    assert adapter.closed == 1
