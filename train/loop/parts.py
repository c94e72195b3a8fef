"""What the steps of all stages share: the parts of a batch that fall to this process, and their figures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from retinagan.runtime.errors import RetinaGanError
from retinagan.train.loop.accumulation import Meter, PartStatistics
from retinagan.train.loop.batches import Batch
from retinagan.train.loop.devices import autocast
from retinagan.train.loop.options import TrainingOptions
from retinagan.train.loop.workers import Workers


class TrainingError(RetinaGanError, RuntimeError):
    """Training cannot go on."""


@dataclass(frozen=True)
class PartWork:
    """How a batch is computed in parts, here and in the other processes.

    Attributes
    ----------
    options : TrainingOptions
    device : torch.device
        Of this process.
    workers : Workers
        The processes.
    """

    options: TrainingOptions
    device: torch.device
    workers: Workers

    def parts(self, batch: Batch) -> Iterator[Batch]:
        """Give the parts of a batch that fall to this process, on its device."""
        parts, count = self.options.accumulate, self.workers.count
        size = len(batch.image) // parts
        for number in range(self.workers.rank * parts // count, (self.workers.rank + 1) * parts // count):
            chosen = slice(number * size, (number + 1) * size)
            layers = (batch.image, batch.roi, batch.truth)
            yield Batch(*(layer[chosen].to(self.device) for layer in layers))

    def meter(self) -> Meter:
        """Give a meter of a batch's figures."""
        return Meter(self.options.accumulate, self.workers)

    def statistics(self, net: nn.Module) -> PartStatistics:
        """Give what keeps a net's BatchNorm statistics over the parts."""
        return PartStatistics(net, self.options.accumulate, self.workers)

    def autocast(self) -> torch.autocast:
        """Give the block in which convolutions have the options' precision."""
        return autocast(self.device, self.options.precision)


def finite(name: str, key: str, means: dict[str, float], iteration: int) -> dict[str, float]:
    """Give a step's figures; raise `TrainingError` if the loss `key` among them is not finite."""
    if not math.isfinite(means[key]):
        raise TrainingError(
            f"the {name} loss is {means[key]} at iteration {iteration}: train in another --out with "
            "a lower learning rate or --precision fp32; --init takes the last checkpoint to start from"
        )
    return means


def vessel_shares(probability: Tensor, part: Batch) -> dict[str, Tensor]:
    """Shares of vessel inside the retina, of the truth and of the answer."""
    count = part.roi.sum().clamp(min=1.0)
    return {
        "vessels": (part.truth * part.roi).sum() / count,
        "predicted": (probability.float() * part.roi).sum() / count,
    }
