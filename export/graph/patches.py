"""Patches as a device's runtime gives them to its engine: of an image, or of noise in odd sizes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.model.spec import ModelSpec, Tiling
from retinagan.runtime.steps.patches import PatchGrid
from retinagan.runtime.steps.prepare import prepare
from retinagan.runtime.steps.tensors import image_tensor, roi_tensor


@dataclass(frozen=True)
class Patches:
    """A network's inputs.

    Attributes
    ----------
    image : (N, 3, height, width) float32 array
        Normalised.
    roi : (N, 1, height, width) float32 array
        0 or 1.
    """

    image: NDArray[np.float32]
    roi: NDArray[np.float32]


def patches_of(
    frame: NDArray[np.uint8] | NDArray[np.uint16], spec: ModelSpec, side: int | None = None
) -> Patches:
    """Give the patches of one frame that hold a ROI pixel, as `Segmenter` gives them to its engine.

    With `side`, they are cut to that side without overlap instead.
    """
    prepared = prepare(frame, spec.preprocessing)
    tiling = spec.tiling if side is None else Tiling(side, 0.0)
    grid = PatchGrid.of(len(prepared.roi), tiling)
    indices = grid.with_roi(prepared.roi)
    image = image_tensor(grid.split(prepared.image, indices), spec.network_input)
    return Patches(image, roi_tensor(grid.split(prepared.roi, indices)))


def noise_patches(divisor: int) -> Iterator[Patches]:
    """Give noise in batches and sizes unlike an image's, height and width unlike each other."""
    random = np.random.default_rng(0)
    for count, height, width in ((1, 3, 5), (3, 5, 2)):
        size = (height * divisor, width * divisor)
        image = random.standard_normal((count, 3, *size), np.float32)
        yield Patches(image, (random.random((count, 1, *size)) < 0.8).astype(np.float32))
