"""A segmenter's steps for the frames of a stream; errors stay with their frame, and buffers are reused."""

from __future__ import annotations

from dataclasses import dataclass, field

from retinagan.runtime.engines.base import EngineAdapter
from retinagan.runtime.errors import RetinaGanError
from retinagan.runtime.faults import FaultPolicy
from retinagan.runtime.images.depth import SteadyDepth
from retinagan.runtime.images.frames import ColorOrder
from retinagan.runtime.images.photograph import Frame
from retinagan.runtime.model.density import doubts_of_density
from retinagan.runtime.model.spec import ModelSpec
from retinagan.runtime.steps.patches import PatchGrid
from retinagan.runtime.steps.prepare import FindRetina, Prepared, prepare
from retinagan.runtime.steps.region import LatestRegion
from retinagan.runtime.steps.segment import (
    BufferPool,
    PatchBatch,
    PatchBuffers,
    Segmentation,
    cut_patches,
    regroup,
)
from retinagan.runtime.steps.threshold import Thresholding
from retinagan.runtime.steps.timing import StageClock

_STAGES = 3  # each holds one frame at most


@dataclass
class Passing:
    """A frame on its way through the stages.

    `arrived` is its time of arrival by `time.perf_counter`, from which `latency` counts. `field_of_view` is
    this frame's own angle in degrees, if it has one.
    """

    frame: Frame
    arrived: float
    field_of_view: float | None = None
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
        Runs the network.
    spec : ModelSpec
        The model's spec.
    color : {"rgb", "bgr"}
        The order of the frames' channels.
    find : callable
        Finds the retina, as `find_retina` does.
    field_of_view : float, optional
        The camera's angle in degrees for frames without their own; the spec's assumption if left out.
    noun : str
        What error messages call a frame.
    """

    def __init__(
        self,
        adapter: EngineAdapter,
        spec: ModelSpec,
        color: ColorOrder,
        find: FindRetina,
        field_of_view: float | None = None,
        noun: str = "frame",
    ) -> None:
        self._adapter = adapter
        self._spec = spec
        self._color = color
        self._find = find
        self._field_of_view = field_of_view
        self._regions = LatestRegion()
        self._pool = BufferPool()
        if spec.preprocessing.working_size is not None:  # now, so that memory stays as it is
            grid = PatchGrid.of(spec.preprocessing.working_size, spec.tiling)
            for buffers in [self._pool.take(grid) for _ in range(_STAGES)]:
                self._pool.give_back(buffers)
        self._depth = SteadyDepth()
        self._faults = FaultPolicy(noun, check_open=adapter.check_open)

    def prepare(self, passing: Passing) -> None:
        """Find the retina, crop and equalize its square, and cut the patches."""
        spec = self._spec
        with self._faults.noted(passing):
            prepared = prepare(
                self._depth.reduced(passing.frame),
                spec.preprocessing,
                self._color,
                passing.clock,
                self._find,
                self._field_of_view if passing.field_of_view is None else passing.field_of_view,
                self._regions,
            )
            buffers = self._pool.take(PatchGrid.of(len(prepared.roi), spec.tiling))
            passing.prepared, passing.buffers = prepared, buffers
            passing.batch = cut_patches(prepared, spec.network_input, buffers, passing.clock)

    def infer(self, passing: Passing) -> None:
        """Run the engine.

        Raises
        ------
        EngineError
            If the engine was closed, or failed on several frames in a row, so that no frame is the cause.
        """
        batch = passing.batch
        if batch is None:
            return
        with (
            self._faults.noted(passing),
            self._faults.engine_watched(passing),
            passing.clock.stage("infer"),
        ):
            self._adapter.infer(batch.image, batch.roi, batch.probability)

    def regroup(self, passing: Passing) -> None:
        """Regroup the patches' probability in its place in the frame, and free the buffers."""
        batch, prepared, buffers = passing.batch, passing.prepared, passing.buffers
        passing.batch = passing.prepared = passing.buffers = None
        if batch is not None and prepared is not None and passing.error is None:
            with self._faults.noted(passing):
                spec = self._spec
                doubts = doubts_of_density(self._adapter.spec, spec)
                thresholding = Thresholding.of_spec(self._adapter.spec, spec)
                passing.segmentation = regroup(
                    batch, prepared, thresholding, passing.clock, spec.confidence, doubts
                )
        if buffers is not None:
            self._pool.give_back(buffers)
