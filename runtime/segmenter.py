"""Segment images with a model: the complete pipeline from image to vessel map."""

import os
from collections.abc import AsyncIterable, Iterable
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Literal

import numpy as np

from retinagan.runtime.engines import open_adapter
from retinagan.runtime.errors import ModelError, OptionError
from retinagan.runtime.forked import spare_opencv_threads
from retinagan.runtime.images.frames import ColorOrder, as_rgb8
from retinagan.runtime.images.photograph import Frame
from retinagan.runtime.model.bundled import find_model
from retinagan.runtime.model.density import at_density, doubts_of_density
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.retina.find import find_retina
from retinagan.runtime.retina.still import StillRetina
from retinagan.runtime.steps.patches import PatchGrid
from retinagan.runtime.steps.prepare import prepare
from retinagan.runtime.steps.scale import check_field_of_view
from retinagan.runtime.steps.segment import BufferPool, Segmentation, cut_patches, regroup
from retinagan.runtime.steps.threshold import FIXED, Thresholding
from retinagan.runtime.steps.timing import StageClock
from retinagan.runtime.stream.line import iterator_of
from retinagan.runtime.stream.stages import FrameSteps
from retinagan.runtime.stream.stream import Policy, Stream, StreamOptions

if TYPE_CHECKING:
    from retinagan.runtime.stream.asynchronous import AsyncStream

__all__ = ["Segmentation", "Segmenter"]


class Segmenter:
    """Segments the vessels of fundus images with one model on one engine.

    Many threads may call one segmenter. It is a context manager; `close` frees the engine.

    Parameters
    ----------
    model : str or path, optional
        A bundled model's name, an ONNX file or a TensorRT engine; the bundled "retina-gan" if left out.
    device : {"auto", "cpu", "cuda", "cuda:N"}
        Where to run; "auto" takes the best device that works. See `retinagan.runtime.engines.open_adapter`.
    engine : {"auto", "onnxruntime", "openvino", "tensorrt"}
        The engine that runs the model; "auto" takes the fastest one that works on the device.
    color : {"rgb", "bgr"}
        The order of the frames' channels; "bgr" for frames from OpenCV.
    threads : int, optional
        Number of CPU threads of the engine; all cores if left out.
    threshold : float or "fixed", optional
        Pixels at or above this probability count as vessel, 0 to 1, on all images. "fixed" takes the spec's
        number for all images. If left out, each map has a threshold of its own, where the spec has a rule for
        it.
    overlap : float, optional
        Overlap of neighbouring patches as a share of their side, 0 to 0.9; the spec's if left out.
    field_of_view : float, optional
        The camera's angle in degrees, 10 to 220, which sets the size of the working square; that of the
        photograph if left out, or else the spec's assumption. A call may pass another for its frame. Models
        with a fixed working size ignore it.
    pixels_per_degree : float, optional
        Another density than the spec's; a lower one is faster and less accurate, see `at_density`.

    Attributes
    ----------
    spec : ModelSpec
        The model's spec, with `threshold`, `map_threshold`, `overlap` and `pixels_per_degree` as used.

    Raises
    ------
    ImageError
        If the colour order is unknown, or the field of view is out of range.
    ModelError
        If the model is unknown, damaged or does not match its spec, or an option is out of range.
    EngineError
        If the engine or device is not available.
    OptionError
        If `engine`, `device` or `threads` is not one of the values above, or the model does not take
        `pixels_per_degree`.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        device: str = "auto",
        engine: str = "auto",
        color: ColorOrder = "rgb",
        threads: int | None = None,
        threshold: float | Literal["fixed"] | None = None,
        overlap: float | None = None,
        field_of_view: float | None = None,
        pixels_per_degree: float | None = None,
    ) -> None:
        if field_of_view is not None:
            check_field_of_view(field_of_view)
        spare_opencv_threads()
        as_rgb8(np.zeros((1, 1), np.uint8), color)  # refuses an unknown order now, not at the first frame
        path = find_model(model)
        spec = ModelSpec.load(spec_path(path)) if spec_path(path).is_file() else None
        self._color = color
        self._adapter = open_adapter(path, spec, device, threads, engine)
        try:
            self.spec = _with_options(self._adapter.spec, threshold, overlap, pixels_per_degree)
        except (ModelError, OptionError):
            self._adapter.close()
            raise
        self._field_of_view = field_of_view
        self._buffers = BufferPool()

    @property
    def engine(self) -> str:
        """The engine, its version and its device, in one line."""
        return self._adapter.description

    @property
    def engine_selection(self) -> str:
        """Why "auto" chose this engine, in one line; empty if the engine was named."""
        return self._adapter.selection

    def __call__(self, frame: Frame, field_of_view: float | None = None) -> Segmentation:
        """Segment one frame.

        Parameters
        ----------
        frame : (H, W, 3) or (H, W) array, or Photograph
            uint8 or uint16 fundus image, in the segmenter's colour order or grey; or what `read_image`
            returns.
        field_of_view : float, optional
            The camera's angle in degrees for this frame; the segmenter's if left out, or else that of the
            photograph.

        Returns
        -------
        Segmentation

        Raises
        ------
        ImageError
            If the frame's dtype or shape is wrong; `NoRetinaError` if it shows no retina.
        EngineError
            If the segmenter was closed, or the engine fails.
        """
        self._adapter.check_open()
        clock = StageClock()
        # RGB, ROI mask, square round the retina's disc, working size, equalization
        angle = self._field_of_view if field_of_view is None else field_of_view
        prepared = prepare(frame, self.spec.preprocessing, self._color, clock, field_of_view=angle)
        grid = PatchGrid.of(len(prepared.roi), self.spec.tiling)
        with self._buffers.lent(grid) as buffers:
            batch = cut_patches(prepared, self.spec.network_input, buffers, clock)
            with clock.stage("infer"):
                self._adapter.infer(batch.image, batch.roi, batch.probability)
            doubts = doubts_of_density(self._adapter.spec, self.spec)
            thresholding = Thresholding.of_spec(self._adapter.spec, self.spec)
            return regroup(batch, prepared, thresholding, clock, self.spec.confidence, doubts)

    def stream(
        self,
        frames: Iterable[Frame],
        *,
        policy: Policy = "every",
        queue: int = 2,
        reuse_roi: bool = True,
        field_of_view: float | None = None,
    ) -> Stream:
        """Segment the frames of a camera: results in order, overlapping stages, bounded memory.

        Parameters
        ----------
        frames : iterable of arrays
            Frames as for `__call__`, drawn in a thread of the stream. An exception of the iterable reaches
            the consumer after the results of all earlier frames.
        policy : {"every", "latest"}
            What happens to frames that come faster than they are segmented. "every": no frame is lost; the
            next is drawn when there is room. "latest": frames are drawn as they come; those that have waited
            longest are dropped and counted.
        queue : int
            Number of frames that may wait, from 1. In addition, each of the three stages holds one.
        reuse_roi : bool
            Whether to search for the retina again only when the image's margin changes; see `StillRetina`.
            If False, every frame is searched, as by `__call__`.
        field_of_view : float, optional
            The camera's angle in degrees, 10 to 220; the segmenter's if left out. `Stream.put` takes an angle
            for each frame.

        Returns
        -------
        Stream
            An iterator of `FrameResult`, one for each frame that was not dropped. A frame that cannot be
            segmented has a result with an `error`, and the stream continues.

        Raises
        ------
        StreamError
            If an option is out of range, or the frames cannot be iterated over.
        ImageError
            If the field of view is out of range.
        EngineError
            If the segmenter was closed.
        """
        steps = self.frame_steps(reuse_roi, field_of_view)
        return Stream(steps, StreamOptions(policy, queue), iterator_of(frames))

    def open_stream(
        self,
        *,
        policy: Policy = "every",
        queue: int = 2,
        reuse_roi: bool = True,
        field_of_view: float | None = None,
    ) -> Stream:
        """Open a stream that takes frames by `Stream.put`, for example from a camera's callback.

        Options and errors are those of `stream`.
        """
        return Stream(self.frame_steps(reuse_roi, field_of_view), StreamOptions(policy, queue))

    def astream(
        self,
        frames: AsyncIterable[Frame] | Iterable[Frame],
        *,
        policy: Policy = "every",
        queue: int = 2,
        reuse_roi: bool = True,
        field_of_view: float | None = None,
    ) -> "AsyncStream":
        """Segment frames as `stream` does, in asyncio: ``async for result in segmenter.astream(frames)``.

        An asynchronous iterable is drawn from in a task, any other in a thread. Call this in a running event
        loop. Options and errors are those of `stream`.
        """
        from retinagan.runtime.stream.asynchronous import (
            AsyncStream,  # imports asyncio, which others do without
        )

        steps = self.frame_steps(reuse_roi, field_of_view)
        return AsyncStream(steps, StreamOptions(policy, queue), frames)

    def frame_steps(
        self, reuse_roi: bool = False, field_of_view: float | None = None, noun: str = "frame"
    ) -> FrameSteps:
        """Return the steps of `__call__` as three stages, for a pipeline that overlaps them.

        Parameters
        ----------
        reuse_roi, field_of_view
            As for `stream`.
        noun : str
            What error messages call a frame, such as "image".

        Raises
        ------
        ImageError
            If the field of view is out of range.
        EngineError
            If the segmenter was closed.
        """
        if field_of_view is not None:
            check_field_of_view(field_of_view)
        self._adapter.check_open()
        find = StillRetina() if reuse_roi else find_retina
        angle = self._field_of_view if field_of_view is None else field_of_view
        return FrameSteps(self._adapter, self.spec, self._color, find, angle, noun)

    def warmup(self) -> None:
        """Run the engine once on empty patches, so that the first frame takes no longer than later ones."""
        spec, angle = self.spec, self._field_of_view
        preprocessing = spec.preprocessing
        if angle is not None:
            preprocessing = replace(preprocessing, field_of_view=angle)
        grid = PatchGrid.of(preprocessing.usual_size, spec.tiling)
        shape, side = (len(grid), 1, grid.side, grid.side), grid.side
        self._adapter.infer(np.zeros((shape[0], 3, side, side), np.float32), np.ones(shape, np.float32))

    def close(self) -> None:
        """Wait for running calls, then free the engine; later calls raise `EngineError`."""
        self._adapter.close()

    def __enter__(self) -> "Segmenter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _with_options(
    spec: ModelSpec,
    threshold: float | Literal["fixed"] | None,
    overlap: float | None,
    density: float | None,
) -> ModelSpec:
    """Return the spec with the user's options, checked against the spec's ranges."""
    if threshold is not None:
        if isinstance(threshold, str) and threshold != FIXED:
            raise OptionError(f"threshold: got {threshold!r}; expected a number from 0 to 1, or {FIXED!r}")
        number = spec.threshold if threshold == FIXED else threshold
        spec = replace(spec, threshold=number, map_threshold=None)
    if overlap is not None:
        spec = replace(spec, tiling=replace(spec.tiling, overlap=overlap))
    if density is not None:
        spec = replace(spec, preprocessing=at_density(spec.preprocessing, density, spec.name))
    return spec
