"""A batch in parts: gradients and BatchNorm statistics of all parts, over all processes, before one step.

BatchNorm normalises each part by that part's own mean and variance while it learns statistics. The running
statistics after a step are the mean of those that each part alone would have left. So it makes no difference
whether one process computes the parts one after another or several processes share them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from retinagan.runtime.errors import RetinaGanError
from retinagan.train.loop.batches import Batch
from retinagan.train.loop.devices import autocast
from retinagan.train.loop.options import TrainingOptions
from retinagan.train.loop.workers import Workers

LARGEST_GRADIENT = 1.0
"""Norm to which the gradient of a step is clipped."""


class TrainingError(RetinaGanError, RuntimeError):
    """Training cannot continue."""


class OptimizerStep:
    """Steps of one optimizer, each taken with the gradients of all parts of a batch.

    Parameters
    ----------
    name : str
        Name of the loss in error messages.
    net : nn.Module
        Net to train.
    optimizer : torch.optim.Optimizer
        Optimizer of the net's parameters.
    parts : int
        Number of parts of a batch, over all processes.
    workers : Workers
        Processes that train together.
    scaled : bool
        Scale the losses so that FP16 gradients neither vanish nor overflow. A step whose gradients overflow
        is skipped, and the scale is lowered.
    """

    def __init__(
        self,
        name: str,
        net: nn.Module,
        optimizer: torch.optim.Optimizer,
        parts: int,
        workers: Workers,
        scaled: bool,
    ) -> None:
        self.name, self.net = name, net
        self._optimizer, self._parts, self._workers = optimizer, parts, workers
        device = next(net.parameters()).device.type
        self._scaler = torch.amp.GradScaler(device, enabled=scaled)

    def begin(self, rate: float) -> None:
        """Clear the gradients and set the learning rate."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad()

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of the loss of one part."""
        self._scaler.scale(loss / self._parts).backward()  # type: ignore[no-untyped-call]

    def end(self) -> None:
        """Add up the gradients of all processes and update the weights."""
        gradients = [value.grad for value in self.net.parameters() if value.grad is not None]
        self._workers.add_up(gradients)
        self._scaler.unscale_(self._optimizer)
        nn.utils.clip_grad_norm_(self.net.parameters(), LARGEST_GRADIENT)
        self._scaler.step(self._optimizer)
        self._scaler.update()

    def optimizer_state(self) -> dict[str, Any]:
        """Return the state of the optimizer that a resumed run needs."""
        return self._optimizer.state_dict()

    def scaler_state(self) -> dict[str, Any]:
        """Return the state of the loss scaler that a resumed run needs; empty if losses are not scaled."""
        return self._scaler.state_dict()

    def load(self, optimizer: dict[str, Any], scaler: dict[str, Any]) -> None:
        """Load the state of an interrupted run."""
        self._optimizer.load_state_dict(optimizer)
        if scaler:
            self._scaler.load_state_dict(scaler)


class PartStatistics:
    """BatchNorm statistics of a net over one pass through the parts of a batch.

    Parameters
    ----------
    net : nn.Module
        Net whose running statistics are collected.
    parts : int
        Number of parts of a batch, over all processes.
    workers : Workers
        Processes that train together.
    """

    def __init__(self, net: nn.Module, parts: int, workers: Workers) -> None:
        self._parts, self._workers = parts, workers
        self._several = parts > 1
        # Written through .data: the backward pass does not need running statistics, but autograd raises an
        # error if it sees that they changed after the forward pass.
        self._buffers = [buffer.data for buffer in net.buffers()] if self._several else []
        self._before = [buffer.clone() for buffer in self._buffers]
        self._sums = [torch.zeros_like(buffer) for buffer in self._buffers]

    @contextmanager
    def part(self) -> Iterator[None]:
        """Run the forward pass of one part in this block, starting from the statistics before the step."""
        for buffer, before in zip(self._buffers, self._before, strict=True):
            buffer.copy_(before)
        yield
        for total, buffer in zip(self._sums, self._buffers, strict=True):
            total += buffer

    def end(self) -> None:
        """Set the running statistics to the mean over the parts."""
        real = [index for index, buffer in enumerate(self._buffers) if buffer.is_floating_point()]
        self._workers.add_up([self._sums[index] for index in real])
        for index in real:  # integer buffers count batches, the same number in each part
            self._buffers[index].copy_(self._sums[index] / self._parts)


class Meter:
    """Named figures of a batch, averaged over its parts and over the processes.

    Parameters
    ----------
    parts : int
        Number of parts of a batch, over all processes.
    workers : Workers
        Processes that train together.
    """

    def __init__(self, parts: int, workers: Workers) -> None:
        self._parts, self._workers = parts, workers
        self._sums: dict[str, Tensor] = {}

    def add(self, **figures: Tensor) -> None:
        """Add the figures of one part, each of shape ()."""
        for name, figure in figures.items():
            value = figure.detach().float()
            self._sums[name] = self._sums[name] + value if name in self._sums else value

    def means(self) -> dict[str, float]:
        """Return the mean of each figure; the same in all processes."""
        sums = torch.stack(list(self._sums.values()))
        self._workers.add_up([sums])
        return dict(zip(self._sums, (sums / self._parts).tolist(), strict=True))


@dataclass(frozen=True)
class PartWork:
    """How a batch is computed in parts, in this process and in the others.

    Attributes
    ----------
    options : TrainingOptions
        Options of the run.
    device : torch.device
        Device of this process.
    workers : Workers
        Processes that train together.
    """

    options: TrainingOptions
    device: torch.device
    workers: Workers

    def parts(self, batch: Batch) -> Iterator[Batch]:
        """Yield the parts of a batch that this process computes, on its device."""
        parts, count = self.options.accumulate, self.workers.count
        size = len(batch.image) // parts
        for number in range(self.workers.rank * parts // count, (self.workers.rank + 1) * parts // count):
            chosen = slice(number * size, (number + 1) * size)
            layers = (batch.image, batch.roi, batch.truth)
            yield Batch(*(layer[chosen].to(self.device) for layer in layers))

    def meter(self) -> Meter:
        """Return a meter for the figures of a batch."""
        return Meter(self.options.accumulate, self.workers)

    def statistics(self, net: nn.Module) -> PartStatistics:
        """Return the collector of a net's BatchNorm statistics over the parts."""
        return PartStatistics(net, self.options.accumulate, self.workers)

    def autocast(self) -> torch.autocast:
        """Return a context in which convolutions run in the precision of the options."""
        return autocast(self.device, self.options.precision)


def finite(name: str, key: str, means: dict[str, float], iteration: int) -> dict[str, float]:
    """Return the figures of a step; raise `TrainingError` if the loss `key` among them is not finite."""
    if not math.isfinite(means[key]):
        raise TrainingError(
            f"the {name} loss is {means[key]} at iteration {iteration}: train in another --out with "
            "a lower learning rate or --precision fp32; --init can start from the last checkpoint"
        )
    return means


def vessel_shares(probability: Tensor, part: Batch) -> dict[str, Tensor]:
    """Return the share of vessel pixels inside the retina, in the truth and in the prediction."""
    count = part.roi.sum().clamp(min=1.0)
    return {
        "vessels": (part.truth * part.roi).sum() / count,
        "predicted": (probability.float() * part.roi).sum() / count,
    }
