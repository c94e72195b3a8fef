"""How well a model's probability maps agree with FP32's, counted image by image; needs only NumPy."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import ModelError

LEVELS = 65535
"""Probabilities are counted in steps of 1 / LEVELS, as `retina-run` stores them in 16-bit PNG."""


class ParityError(ModelError):
    """A model's probabilities differ from those of the trained model."""


@dataclass
class Agreement:
    """Differences between a candidate's maps and the reference's, over all added images.

    Parameters
    ----------
    threshold : float
        The reference's operating threshold, which turns its probability into a vessel map.

    Attributes
    ----------
    largest : float
        Largest absolute difference of probability.
    images, pixels : int
        Number of images compared.
    """

    threshold: float
    largest: float = 0.0
    images: int = 0
    pixels: int = 0
    _total: float = 0.0
    _vessels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(LEVELS + 1, np.int64))
    _others: NDArray[np.int64] = field(default_factory=lambda: np.zeros(LEVELS + 1, np.int64))

    def add(
        self,
        reference: NDArray[np.float32],
        candidate: NDArray[np.float32],
        region: NDArray[np.bool_],
        name: str,
    ) -> None:
        """
        Add one image.

        Parameters
        ----------
        reference, candidate : (H, W) float32 arrays
            Probabilities.
        region : (H, W) bool array
            What counts: the field of view.
        name : str
            What gave the candidate, for the error.

        Raises
        ------
        ParityError
            If a map holds NaN or infinity.
        """
        expected, got = reference[region], candidate[region]
        if not (np.isfinite(expected).all() and np.isfinite(got).all()):
            raise ParityError(
                f"{name} returns NaN or infinity: the weights have diverged or overflow; nothing was written"
            )
        difference = np.abs(got.astype(np.float64) - expected)
        self.largest = max(self.largest, float(difference.max(initial=0.0)))
        self._total += float(difference.sum())
        self.images += 1
        self.pixels += int(expected.size)
        levels = np.rint(np.clip(got, 0.0, 1.0).astype(np.float64) * LEVELS).astype(np.int64)
        vessels = expected >= self.threshold
        self._vessels += np.bincount(levels[vessels], minlength=LEVELS + 1)
        self._others += np.bincount(levels[~vessels], minlength=LEVELS + 1)

    @property
    def mean(self) -> float:
        """Mean absolute difference of probability."""
        return self._total / max(self.pixels, 1)

    def dice(self, threshold: float) -> float:
        """Dice between the reference's vessel map and the candidate's at a threshold; 1 if both are empty."""
        return float(self._dice()[round(threshold * LEVELS)])

    def best_threshold(self) -> float:
        """Return the threshold with the largest `dice`; among equal ones, the nearest to the reference's."""
        dice = self._dice()
        best = np.flatnonzero(dice >= dice.max())
        return float(best[np.abs(best - self.threshold * LEVELS).argmin()]) / LEVELS

    def _dice(self) -> NDArray[np.float64]:
        """Dice at every level."""
        hits = self._vessels[::-1].cumsum()[::-1]
        marked = hits + self._others[::-1].cumsum()[::-1]
        total = marked + self._vessels.sum()
        return np.where(total > 0, 2.0 * hits / np.maximum(total, 1), 1.0)
