"""A prepared frame's steps round the engine: patches to run it on, and its maps made a segmentation."""

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.model.spec import Confidence, NetworkInput, Tiling
from retinagan.runtime.steps.doubt import doubt
from retinagan.runtime.steps.patches import PatchGrid
from retinagan.runtime.steps.prepare import Prepared
from retinagan.runtime.steps.rim import spread_over_rim, with_rim
from retinagan.runtime.steps.tensors import image_tensor, roi_tensor
from retinagan.runtime.steps.timing import StageClock
from retinagan.runtime.warnings import ImageWarning

Infer = Callable[[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]], object]
"""Runs a network: takes normalised patches (N, 3, side, side) and their ROI (N, 1, side, side), and writes
the probability (N, 1, side, side) into its third argument, as `EngineAdapter.infer` does."""


@dataclass(frozen=True)
class Network:
    """What runs a network, and how the patches that it takes are normalised."""

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
        Where the probability reaches the threshold, inside `roi`.
    roi : (H, W) bool array
        True inside the retina and on its rim.
    seconds : mapping of str to float
        Wall time of the stages "roi", "crop", "equalize", "patches", "infer" and "regroup".
    field_of_view : float or None
        Degrees that the retina's disc was taken for; None where the model has a fixed working size.
    working_size : int
        Side in pixels of the square that the network saw.
    confidence : float
        The Dice to be expected of the map, from its probabilities alone, 0 to 1; NaN where nothing judged it.
    warnings : tuple of ImageWarning
        What is doubted about the image or its map; the map is there all the same.
    """

    probability: NDArray[np.float32]
    vessels: NDArray[np.bool_]
    roi: NDArray[np.bool_]
    seconds: Mapping[str, float]
    field_of_view: float | None = None
    working_size: int = 0
    confidence: float = math.nan
    warnings: tuple[ImageWarning, ...] = ()


class PatchBuffers:
    """The engine's arrays for one frame, in memory from the start, which may be filled again for another.

    Attributes
    ----------
    grid : PatchGrid
        What they are for.
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
    """Buffers that wait for their next frame: as many as there ever were frames at work at once.

    Buffers fit one grid. Where frames differ in their grids, those of the last one wait and others are freed.
    """

    def __init__(self) -> None:
        self._idle: deque[PatchBuffers] = deque()

    def take(self, grid: PatchGrid) -> PatchBuffers:
        """Take idle buffers for a grid, or make new ones; from any thread."""
        try:
            while (buffers := self._idle.pop()).grid != grid:
                pass
            return buffers
        except IndexError:
            return PatchBuffers(grid)

    def give_back(self, buffers: PatchBuffers) -> None:
        """Keep buffers for another frame."""
        self._idle.append(buffers)

    @contextmanager
    def lent(self, grid: PatchGrid) -> Iterator[PatchBuffers]:
        """Give buffers for a grid until the block ends."""
        buffers = self.take(grid)
        try:
            yield buffers
        finally:
            self.give_back(buffers)


@dataclass(frozen=True)
class PatchBatch:
    """The patches of one frame that hold retina, as the engine takes them; N of them.

    Attributes
    ----------
    grid : PatchGrid
        How the working square is cut.
    indices : (N,) int array
        Which patches of the grid they are.
    image : (N, 3, side, side) float32 array
        Normalised as the spec's `network_input` says.
    roi : (N, 1, side, side) float32 array
        1 inside the retina, 0 outside.
    probability : (N, 1, side, side) float32 array
        Where the engine's result goes.
    """

    grid: PatchGrid
    indices: NDArray[np.intp]
    image: NDArray[np.float32]
    roi: NDArray[np.float32]
    probability: NDArray[np.float32]


def cut_patches(
    prepared: Prepared, options: NetworkInput, buffers: PatchBuffers, clock: StageClock
) -> PatchBatch:
    """Cut the equalized square and its ROI into the engine's patches, which lie in `buffers`.

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
    threshold: float,
    clock: StageClock,
    calibration: Confidence | None = None,
) -> Segmentation:
    """Put the patches' probability back together and in its place in the frame; all arrays are new.

    The map is judged on the way, with the calibration of the model's spec if there is one; see `doubt`.
    Counts the stage "regroup".
    """
    with clock.stage("regroup"):
        square = batch.grid.regroup(batch.probability[:, 0], batch.indices)
        roi = with_rim(prepared.retina, prepared.crop)
        spread = spread_over_rim(square, prepared.roi, prepared.retina, prepared.crop)
        probability = prepared.crop.restore(spread)
        np.copyto(probability, 0, where=~roi)
        vessels = roi & (probability >= threshold)
        judged = doubt(probability, roi, prepared, threshold, calibration)
    return Segmentation(
        probability,
        vessels,
        roi,
        MappingProxyType(clock.seconds),
        prepared.field_of_view,
        len(prepared.roi),
        judged.confidence,
        judged.warnings,
    )


def segment_square(
    prepared: Prepared,
    tiling: Tiling,
    network: Network,
    threshold: float = 0.5,
    clock: StageClock | None = None,
) -> Segmentation:
    """Cut the prepared square into patches, run the network on them, and regroup its maps in the frame.

    Parameters
    ----------
    prepared : Prepared
        By `prepare`.
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
    return regroup(batch, prepared, threshold, clock)
