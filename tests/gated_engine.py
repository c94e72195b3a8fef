"""An engine for stream tests: it runs only when let through, and fails on request."""

import threading

import numpy as np
from tiny_model import tiny_spec

from retinagan.runtime.engines.base import EngineAdapter
from retinagan.runtime.errors import EngineError
from retinagan.runtime.retina.find import Disc, Retina
from retinagan.runtime.stream.stages import FrameSteps

PATIENCE = 20.0  # seconds after which a test that waits for another thread has failed


class GatedEngine(EngineAdapter):
    """Returns the mean of each pixel's channels; once `shut`, each run waits for one `let_through`."""

    def __init__(self) -> None:
        self.gate = threading.Semaphore(0)
        self.is_shut = False
        self.started = threading.Semaphore(0)
        self.failures = 0
        self.freed = False
        super().__init__(tiny_spec(sha256="0" * 64), "gated")

    def shut(self) -> None:
        self.is_shut = True

    def let_through(self, runs: int = 1) -> None:
        self.gate.release(runs)

    def open(self) -> None:
        self.is_shut = False
        self.gate.release(1000)

    def wait_for_run(self) -> None:
        """Wait until one more run has started."""
        assert self.started.acquire(timeout=PATIENCE)

    def _run(self, image, roi, out) -> None:
        self.started.release()
        if self.is_shut:
            assert self.gate.acquire(timeout=PATIENCE)
        if self.failures > 0:
            self.failures -= 1
            raise EngineError("gated failed")
        out[:] = np.clip(image.mean(axis=1, keepdims=True), 0, 1) * roi

    def _close(self) -> None:
        self.freed = True


def whole_frame(image: np.ndarray) -> Retina:
    """Treat the whole frame as retina: these tests are not about finding it."""
    height, width = image.shape[:2]
    disc = Disc((width - 1) / 2, (height - 1) / 2, max(height, width) / 2)
    return Retina(np.ones((height, width), np.bool_), disc)


def gated_steps(engine: EngineAdapter, find=whole_frame) -> FrameSteps:
    return FrameSteps(engine, engine.spec, "rgb", find)


def numbered_frame(number: int, side: int = 48) -> np.ndarray:
    """Return a frame whose grey level encodes its number, so that results can be matched with frames."""
    return np.full((side, side, 3), number % 100 + 100, np.uint8)


def stream_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("retinagan-")]
