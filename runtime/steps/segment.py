"""The steps before and after the engine: cut a prepared frame into patches, and regroup their maps."""

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.model.parameters import Confidence, NetworkInput, Tiling
from retinagan.runtime.retina.disc import Disc
from retinagan.runtime.steps.doubt import VesselMap, doubt
from retinagan.runtime.steps.levels import level_counts
from retinagan.runtime.steps.patches import PatchGrid
from retinagan.runtime.steps.prepare import Prepared
from retinagan.runtime.steps.tensors import image_tensor, roi_tensor
from retinagan.runtime.steps.threshold import Thresholding
from retinagan.runtime.steps.timing import StageClock
from retinagan.runtime.warnings import ImageWarning

Infer = Callable[[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]], object]
"""Run a network as `EngineAdapter.infer` does: take normalised patches (N, 3, side, side) and their ROI
(N, 1, side, side), and write the probability (N, 1, side, side) into the third argument."""


@dataclass(frozen=True)
class Network:
    """A function that runs a network, and the normalisation of its patches."""

    infer: Infer
    input: NetworkInput


@dataclass(frozen=True)
class Segmentation:
    """The result for one frame of H x W pixels, at the frame's own size.

    Attributes
    ----------
    probability : (H, W) float32 array
        Probability that a pixel belongs to a vessel, 0 to 1; 0 outside `roi`.
    vessels : (H, W) bool array
        True where the probability is at or above `threshold`, inside `roi`.
    roi : (H, W) bool array
        True inside the retina and on its rim.
    seconds : mapping of str to float
        Wall time by stage: "roi", "crop", "equalize", "patches", "infer" and "regroup".
    field_of_view : float or None
        Angle of the disc's diameter in degrees; None if the model has a fixed working size.
    working_size : int
        Side of the network's input square, in pixels.
    confidence : float
        Expected Dice of the map, from its probabilities alone, 0 to 1; NaN if the map was not judged.
    warnings : tuple of ImageWarning
        Doubts about the image or its map; the map is valid all the same.
    unsegmented : tuple of Disc
        Other fields of view in the frame, such as the second eye's: there is no map of them.
    disc : Disc or None
        The circle fitted to the retina, in the frame's pixels; its diameter is what `field_of_view` spans.
    threshold : float
        Pixels at or above this probability are vessels: the map's own threshold, or the one for all maps.
    """

    probability: NDArray[np.float32]
    vessels: NDArray[np.bool_]
    roi: NDArray[np.bool_]
    seconds: Mapping[str, float]
    field_of_view: float | None = None
    working_size: int = 0
    confidence: float = math.nan
    warnings: tuple[ImageWarning, ...] = ()
    unsegmented: tuple[Disc, ...] = ()
    disc: Disc | None = None
    threshold: float = 0.5


class PatchBuffers:
    """The engine's arrays for one frame, allocated at once and reusable for other frames.

    Attributes
    ----------
    grid : PatchGrid
        The grid that the arrays fit.
    image : (N, 3, side, side) float32 array
    roi, probability : (N, 1, side, side) float32 arrays
        N is the number of patches of the whole grid.
    """

    def __init__(self, grid: PatchGrid) -> None:
        self.grid = grid
        count, side = len(grid), grid.side
        self.image = np.full((count, 3, side, side), 0, np.float32)
        self.roi = np.full((count, 1, side, side), 0, np.float32)
        self.probability = np.full((count, 1, side, side), 0, np.float32)


class BufferPool:
    """Idle buffers for the next frames, as many as were ever in use at once.

    Buffers fit one grid. If frames differ in their grids, only buffers of the latest grid are kept.
    """

    def __init__(self) -> None:
        self._idle: deque[PatchBuffers] = deque()

    def take(self, grid: PatchGrid) -> PatchBuffers:
        """Take idle buffers for a grid, or allocate new ones. Thread-safe."""
        try:
            while (buffers := self._idle.pop()).grid != grid:
                pass
            return buffers
        except IndexError:
            return PatchBuffers(grid)

    def give_back(self, buffers: PatchBuffers) -> None:
        """Return buffers to the pool."""
        self._idle.append(buffers)

    @contextmanager
    def lent(self, grid: PatchGrid) -> Iterator[PatchBuffers]:
        """Lend buffers for a grid until the block ends."""
        buffers = self.take(grid)
        try:
            yield buffers
        finally:
            self.give_back(buffers)


@dataclass(frozen=True)
class PatchBatch:
    """The N patches of one frame that show retina, as the engine takes them.

    Attributes
    ----------
    grid : PatchGrid
        The grid of the working square.
    indices : (N,) int array
        Indices of the patches in the grid.
    image : (N, 3, side, side) float32 array
        Normalised by the spec's `network_input`.
    roi : (N, 1, side, side) float32 array
        1 inside the retina, 0 outside.
    probability : (N, 1, side, side) float32 array
        Receives the engine's result.
    """

    grid: PatchGrid
    indices: NDArray[np.intp]
    image: NDArray[np.float32]
    roi: NDArray[np.float32]
    probability: NDArray[np.float32]


def cut_patches(
    prepared: Prepared, options: NetworkInput, buffers: PatchBuffers, clock: StageClock
) -> PatchBatch:
    """Cut the equalized square and its ROI into the engine's patches, stored in `buffers`.

    Counts the stage "patches".
    """
    grid = buffers.grid
    with clock.stage("patches"):
        indices = grid.with_roi(prepared.roi)
        used = slice(len(indices))
        return PatchBatch(
            grid,
            indices,
            image_tensor(grid.split(prepared.image, indices), options, buffers.image[used]),
            roi_tensor(grid.split(prepared.roi, indices), buffers.roi[used]),
            buffers.probability[used],
        )


def regroup(
    batch: PatchBatch,
    prepared: Prepared,
    thresholding: Thresholding,
    clock: StageClock,
    calibration: Confidence | None = None,
    doubts: tuple[ImageWarning, ...] = (),
) -> Segmentation:
    """Regroup the patches' probability and put it in its place in the frame; all arrays are new.

    The map has the threshold that `thresholding` finds for it. It is judged too, with the calibration of the
    model's spec if it has one; see `doubt`. Its warnings come after `doubts`. Counts the stage "regroup".
    """
    with clock.stage("regroup"):
        square = batch.grid.regroup(batch.probability[:, 0], batch.indices)
        region = prepared.region
        roi = region.wide.copy()
        probability = prepared.crop.restore(region.rim.spread(square))
        np.copyto(probability, 0, where=~roi)
        counts = level_counts(probability, roi)
        threshold = thresholding.of(counts)
        vessels = roi & (probability >= threshold)
        found = VesselMap(probability, roi, counts, threshold)
        judged = doubt(found, prepared, thresholding, calibration)
    return Segmentation(
        probability,
        vessels,
        roi,
        MappingProxyType(clock.seconds),
        prepared.field_of_view,
        len(prepared.roi),
        judged.confidence,
        (*doubts, *judged.warnings),
        prepared.retina.others,
        prepared.retina.disc,
        threshold,
    )


def segment_square(
    prepared: Prepared,
    tiling: Tiling,
    network: Network,
    threshold: float = 0.5,
    clock: StageClock | None = None,
) -> Segmentation:
    """Cut the prepared square into patches, run the network on them, and regroup the maps in the frame.

    Parameters
    ----------
    prepared : Prepared
        From `prepare`.
    tiling : Tiling
        How the square is cut.
    network : Network
    threshold : float
        Pixels at or above this probability count as vessel.
    clock : StageClock, optional
        Counts the stages "patches", "infer" and "regroup".
    """
    clock = clock or StageClock()
    buffers = PatchBuffers(PatchGrid.of(len(prepared.roi), tiling))
    batch = cut_patches(prepared, network.input, buffers, clock)
    with clock.stage("infer"):
        network.infer(batch.image, batch.roi, batch.probability)
    return regroup(batch, prepared, Thresholding(threshold), clock)
