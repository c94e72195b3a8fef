"""Compare two models on noise; `measure` compares them on whole images."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retinagan.export.proof.agreement import ParityError
from retinagan.runtime.engines import EngineAdapter


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
        Number of patches compared.
    """

    largest: float
    mean: float
    patches: int


def noise_patches(divisor: int) -> Iterator[Patches]:
    """Yield noise in batches and sizes unlike an image's, with different height and width."""
    random = np.random.default_rng(0)
    for count, height, width in ((1, 3, 5), (3, 5, 2)):
        size = (height * divisor, width * divisor)
        image = random.standard_normal((count, 3, *size), np.float32)
        yield Patches(image, (random.random((count, 1, *size)) < 0.8).astype(np.float32))


def compare(reference: EngineAdapter, candidate: EngineAdapter, batches: Iterable[Patches]) -> Difference:
    """
    Measure the difference between two models.

    Parameters
    ----------
    reference, candidate : EngineAdapter
        Two models with one spec.
    batches : iterable of Patches
        The inputs of both.

    Raises
    ------
    ParityError
        If one of them returns NaN or infinity.
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
            f"{adapter.description} returns NaN or infinity on patches of {batch.image.shape[2:]}: "
            "the weights have diverged; train again or export an earlier checkpoint"
        )
    return probability
