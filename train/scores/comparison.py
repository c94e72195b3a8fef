"""How much one system's scores are above another's on the same images, with intervals over those images."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from retinagan.train.scores.bootstrap import interval, resample
from retinagan.train.scores.counts import MapCounts
from retinagan.train.scores.evaluation import REGIONS, Measured
from retinagan.train.scores.metrics import Scores

DIGITS = 4
"""Decimals that differences are printed with; what is 0 there tells nothing apart."""


def signed(value: float) -> str:
    """Print a difference: its sign and `DIGITS` decimals, no sign of a negative 0, "-" for none."""
    return f"{round(value, DIGITS) + 0.0:+.{DIGITS}f}" if value == value else "-"


@dataclass(frozen=True)
class Gain:
    """How much one system's score is above another's on the same images.

    Attributes
    ----------
    value : float
    interval : (float, float) or None
        What 95 % of the resamples of the images give; None of a single image.
    """

    value: float
    interval: tuple[float, float] | None

    def printed(self) -> str:
        """Return the value and, where there is one, its interval."""
        if self.interval is None:
            return signed(self.value)
        return f"{signed(self.value)} [{' to '.join(signed(end) for end in self.interval)}]"

    @property
    def verdict(self) -> str:
        """What these images say of it: "above", "below" or "not told apart"."""
        if self.interval is None:
            return "not told apart"
        low, high = (round(end, DIGITS) for end in self.interval)  # NaN where no resample has the score
        return "above" if low > 0 else "below" if high < 0 else "not told apart"


@dataclass(frozen=True)
class Difference:
    """One model's scores less another's, in one of `REGIONS`, all pixels pooled.

    Attributes
    ----------
    region : str
    scores : Scores
        NaN where one of them has no score.
    interval : (Scores, Scores) or None
        Lower and upper ends over the same resamples of the images; None of a single image.
    """

    region: str
    scores: Scores
    interval: tuple[Scores, Scores] | None


def differences(first: list[Measured], second: list[Measured]) -> list[Difference]:
    """Return how much the first model's scores are above the second's on the same images, in each region."""
    found = []
    for index, region in enumerate(REGIONS):
        pair = [[image.model[index] for image in measured] for measured in (first, second)]
        one, other = (dataclasses.asdict(MapCounts.pooled(counts).scores()) for counts in pair)
        spread = None
        if len(first) > 1:
            draws, others = (resample(counts) for counts in pair)
            spread = interval({name: draws[name] - others[name] for name in draws})
        found.append(Difference(region, Scores(**{name: one[name] - other[name] for name in one}), spread))
    return found
