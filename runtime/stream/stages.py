"""A segmenter's steps for the frames of a stream: an error stays with its frame, buffers are used again."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from retinagan.runtime.engines.base import EngineAdapter
from retinagan.runtime.errors import EngineError, ImageError, RetinaGanError
from retinagan.runtime.images.frames import ColorOrder
from retinagan.runtime.model.spec import ModelSpec
from retinagan.runtime.steps.patches import PatchGrid
from retinagan.runtime.steps.prepare import FindRetina, Prepared, prepare
from retinagan.runtime.steps.segment import (
    BufferPool,
    PatchBatch,
    PatchBuffers,
    Segmentation,
    cut_patches,
    regroup,
)
from retinagan.runtime.steps.timing import StageClock

_ENGINE_FAILURES_IN_A_ROW = 3
_STAGES = 3  # each holds one frame at most


@dataclass
class Passing:
    """A frame on its way; `arrived` is the time by `time.perf_counter`, `latency` counts from then."""

    frame: NDArray[Any]
    arrived: float
    number: int = 0
    clock: StageClock = field(default_factory=StageClock)
    prepared: Prepared | None = None
    buffers: PatchBuffers | None = None
    batch: PatchBatch | None = None
    segmentation: Segmentation | None = None
    error: RetinaGanError | None = None
    latency: float = 0.0


class FrameSteps:
    """The steps of `Segmenter.__call__` in three stages, for one thread each.

    Parameters
    ----------
    adapter : EngineAdapter
        Where the network runs.
    spec : ModelSpec
        What is done before and after.
    color : {"rgb", "bgr"}
        The order of the frames' channels.
    find : callable
        Finds the retina, as `find_retina` does.
    field_of_view : float, optional
        The camera's angle in degrees; what the spec assumes if left out.
    """

    def __init__(
        self,
        adapter: EngineAdapter,
        spec: ModelSpec,
        color: ColorOrder,
        find: FindRetina,
        field_of_view: float | None = None,
    ) -> None:
        self._adapter = adapter
        self._spec = spec
        self._color = color
        self._find = find
        self._field_of_view = field_of_view
        self._pool = BufferPool()
        if spec.preprocessing.working_size is not None:  # now, so that memory stays as it is
            grid = PatchGrid.of(spec.preprocessing.working_size, spec.tiling)
            for buffers in [self._pool.take(grid) for _ in range(_STAGES)]:
                self._pool.give_back(buffers)
        self._engine_failures = 0

    def prepare(self, passing: Passing) -> None:
        """Find the retina, cut its square, equalize it and cut the patches."""
        spec = self._spec
        with _error_noted(passing):
            prepared = prepare(
                passing.frame,
                spec.preprocessing,
                self._color,
                passing.clock,
                self._find,
                self._field_of_view,
            )
            buffers = self._pool.take(PatchGrid.of(len(prepared.roi), spec.tiling))
            passing.prepared, passing.buffers = prepared, buffers
            passing.batch = cut_patches(prepared, spec.network_input, buffers, passing.clock)

    def infer(self, passing: Passing) -> None:
        """Run the engine.

        Raises
        ------
        EngineError
            If the engine was closed, or failed on several frames in a row: then no frame is to blame.
        """
        batch = passing.batch
        if batch is None:
            return
        with _error_noted(passing):
            try:
                with passing.clock.stage("infer"):
                    self._adapter.infer(batch.image, batch.roi, batch.probability)
                self._engine_failures = 0
            except EngineError as error:
                self._adapter.check_open()
                self._engine_failures += 1
                if self._engine_failures >= _ENGINE_FAILURES_IN_A_ROW:
                    raise EngineError(
                        f"the engine failed on {self._engine_failures} frames in a row: {error}"
                    ) from error
                passing.error = error.with_traceback(None)

    def regroup(self, passing: Passing) -> None:
        """Put the patches' probability together in its place in the frame, and free the buffers."""
        batch, prepared, buffers = passing.batch, passing.prepared, passing.buffers
        passing.batch = passing.prepared = passing.buffers = None
        if batch is not None and prepared is not None and passing.error is None:
            with _error_noted(passing):
                passing.segmentation = regroup(batch, prepared, self._spec.threshold, passing.clock)
        if buffers is not None:
            self._pool.give_back(buffers)


@contextmanager
def _error_noted(passing: Passing) -> Iterator[None]:
    """Keep what is wrong with a frame as its error; what is wrong with the engine passes through.

    Tracebacks are left out: they hold on to the frame's arrays, in a cycle.
    """
    try:
        yield
    except EngineError:
        raise
    except ImageError as error:
        passing.error = error.with_traceback(None)
    except MemoryError:
        passing.error = ImageError("not enough memory for a frame of this size; make it smaller")
    except Exception as error:  # a defect that one frame brings to light shall not cost the others
        place = traceback.extract_tb(error.__traceback__)[-1]
        passing.error = RetinaGanError(
            f"unexpected {type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno}); "
            "please report it with the frame"
        )
