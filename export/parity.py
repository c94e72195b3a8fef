"""How far an exported model is from the one that was trained, on the same patches."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from retinagan.export.proof_images import Patches
from retinagan.runtime.adapters import EngineAdapter
from retinagan.runtime.errors import ModelError
from retinagan.runtime.spec import ModelSpec

TOLERANCE = {"fp32": 1e-4}
"""By precision, the largest difference in probability that an exported model may show."""


class ParityError(ModelError):
    """An exported model gives other probabilities than the one that was trained."""


class TorchAdapter(EngineAdapter):
    """The trained generator itself, under the contract of the engines.

    Parameters
    ----------
    generator : torch.nn.Module
        In eval mode, on the CPU; gives logits.
    spec : ModelSpec
        The spec of the model that is exported from it.
    """

    def __init__(self, generator: nn.Module, spec: ModelSpec) -> None:
        self._generator = generator
        super().__init__(spec, f"torch {torch.__version__}, CPU")

    def _run(self, image: NDArray[np.float32], roi: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        with torch.inference_mode():
            logits = self._generator(torch.from_numpy(image), torch.from_numpy(roi))
            np.copyto(out, torch.sigmoid(logits).numpy())

    def _close(self) -> None:
        del self._generator


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


def require_parity(difference: Difference, precision: str) -> None:
    """Raise `ParityError` if a difference is larger than the precision allows."""
    allowed = TOLERANCE[precision]
    if not difference.largest <= allowed:
        raise ParityError(
            f"the exported model's probabilities differ from torch's by up to {difference.largest:.2g}, and "
            f"{precision} may by {allowed:g}: nothing was written; try another torch or onnxruntime"
        )
