"""The patches of an engine, whose input has one size while squares differ from camera to camera."""

import math
from collections.abc import Iterator

from retinagan.runtime.model.parameters import Preprocessing, Tiling
from retinagan.runtime.model.spec import ModelSpec
from retinagan.runtime.steps.patches import PatchGrid

ANGLES = (30.0, 35.0, 45.0, 50.0, 60.0)
"""Degrees of the fundus cameras in common use."""

OVERLAP = 32
"""Pixels that a patch has in common with the next. With patches of 256 pixels or more the maps then score
like those of whole squares: on squares of 1024 pixels the Dice was lower by 0.0001 to 0.0005."""

_NARROWEST, _WIDEST = 256, 512


def engine_tiling(spec: ModelSpec) -> Tiling:
    """Return the tiling of an engine built from a model.

    Parameters
    ----------
    spec : ModelSpec
        The model's.

    Returns
    -------
    Tiling
        The model's own, if it has a patch. For a model that takes whole squares, patches of 256 to 512 pixels
        that overlap by 32: of the size that covers the squares of the usual cameras with the fewest pixels.
    """
    if spec.tiling.patch is not None:
        return spec.tiling
    sizes = usual_sizes(spec.preprocessing)
    if max(sizes) <= _WIDEST:  # one patch holds every square; smaller ones are filled up
        return Tiling(max(sizes), 0.0)
    candidates = [Tiling(side, OVERLAP / side) for side in _sides(spec)]
    return min(candidates, key=lambda tiling: sum(covered(size, tiling) for size in sizes))


def usual_sizes(preprocessing: Preprocessing) -> list[int]:
    """Return the sides in pixels of the usual cameras' squares, if their images are fine enough."""
    density, multiple = preprocessing.pixels_per_degree, preprocessing.size_multiple
    if density is None:
        return [preprocessing.fixed_size]
    return [math.ceil(density * angle / multiple) * multiple for angle in ANGLES]


def covered(size: int, tiling: Tiling) -> float:
    """Return how many pixels the network computes for one of a square: 1 where a patch holds it exactly."""
    grid = PatchGrid.of(size, tiling)
    return len(grid) * grid.side**2 / size**2


def _sides(spec: ModelSpec) -> Iterator[int]:
    multiple = math.lcm(32, spec.network_input.divisor)
    yield from range(math.ceil(_NARROWEST / multiple) * multiple, _WIDEST + 1, multiple)
