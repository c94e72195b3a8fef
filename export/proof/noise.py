"""How far two models are apart on patches of any size; whole images are compared in `proving`."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retinagan.export.graph.patches import Patches
from retinagan.export.proof.agreement import ParityError
from retinagan.runtime.engines import EngineAdapter


@dataclass(frozen=True)
class Difference:
    """The absolute difference of two models' probabilities.

    Attributes
    ----------
    largest : float
        Over all pixels.
    mean : float
        Over the pixels of the ROI.
    patches : int
        How many patches were compared.
    """

    largest: float
    mean: float
    patches: int


def compare(reference: EngineAdapter, candidate: EngineAdapter, batches: Iterable[Patches]) -> Difference:
    """
    Measure how far two models are apart.

    Parameters
    ----------
    reference, candidate : EngineAdapter
        Two models of one spec.
    batches : iterable of Patches
        What both are given.

    Raises
    ------
    ParityError
        If one of them gives NaN or infinity.
    """
    largest, total, pixels, patches = 0.0, 0.0, 0, 0
    for batch in batches:
        expected, got = (_finite(adapter, batch) for adapter in (reference, candidate))
        difference = np.abs(got.astype(np.float64) - expected)
        largest = max(largest, float(difference.max(initial=0.0)))
        total += float(difference[batch.roi > 0].sum())
        pixels += int(np.count_nonzero(batch.roi))
        patches += len(batch.roi)
    return Difference(largest, total / max(pixels, 1), patches)


def _finite(adapter: EngineAdapter, batch: Patches) -> NDArray[np.float32]:
    probability = adapter.infer(batch.image, batch.roi)
    if not np.isfinite(probability).all():
        raise ParityError(
            f"{adapter.description} gives NaN or infinity on patches of {batch.image.shape[2:]}: "
            "the weights have diverged; train again or export an earlier checkpoint"
        )
    return probability
