"""Differences between two systems' scores on the same images, with intervals over those images."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from retinagan.train.scores.bootstrap import interval, resample
from retinagan.train.scores.counts import MapCounts
from retinagan.train.scores.evaluation import REGIONS, Measured
from retinagan.train.scores.metrics import Scores

DIGITS = 4
"""Decimals of printed differences; a difference that rounds to 0 tells nothing apart."""


def signed(value: float) -> str:
    """Return a difference as text with its sign and `DIGITS` decimals; "-" for NaN, never "-0"."""
    return f"{round(value, DIGITS) + 0.0:+.{DIGITS}f}" if value == value else "-"


@dataclass(frozen=True)
class Gain:
    """The difference between one system's score and another's on the same images.

    Attributes
    ----------
    value : float
    interval : (float, float) or None
        Range of 95 % of the resamples of the images; None for a single image.
    """

    value: float
    interval: tuple[float, float] | None

    def printed(self) -> str:
        """Return the value and its interval, if there is one, as text."""
        if self.interval is None:
            return signed(self.value)
        return f"{signed(self.value)} [{' to '.join(signed(end) for end in self.interval)}]"

    @property
    def verdict(self) -> str:
        """What the interval shows: "above", "below" or "not told apart"."""
        if self.interval is None:
            return "not told apart"
        low, high = (round(end, DIGITS) for end in self.interval)  # NaN where no resample has the score
        return "above" if low > 0 else "below" if high < 0 else "not told apart"


@dataclass(frozen=True)
class Difference:
    """One model's scores minus another's, in one of `REGIONS`, over all pixels.

    Attributes
    ----------
    region : str
    scores : Scores
        NaN if either model has no score.
    interval : (Scores, Scores) or None
        Lower and upper ends over the same resamples of the images; None for a single image.
    """

    region: str
    scores: Scores
    interval: tuple[Scores, Scores] | None


def differences(first: list[Measured], second: list[Measured]) -> list[Difference]:
    """Return the first model's scores minus the second's on the same images, for each region."""
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
