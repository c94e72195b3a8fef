"""A batch in parts: gradients and BatchNorm statistics of all parts, over all processes, before one step.

Where BatchNorm learns statistics, it normalises each part by that part's own mean and variance. The running
statistics after a step are the mean of those that each part alone would have left. So the parts may be
computed one after another or by several processes at once: the step is the same, whoever computed which part.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from retinagan.train.loop.workers import Workers

LARGEST_GRADIENT = 1.0
"""Norm to which a step's gradient is shortened."""


class Step:
    """One optimizer's steps, each from the gradients of all parts of a batch.

    Parameters
    ----------
    net : nn.Module
        The net that is learned.
    optimizer : torch.optim.Optimizer
        Of the net's parameters.
    parts : int
        Parts of a batch, over all processes.
    workers : Workers
        The processes.
    scaled : bool
        Whether losses are scaled so that FP16 gradients neither vanish nor overflow; a step whose gradients
        overflowed is left out, and the scale lowered.
    """

    def __init__(
        self, net: nn.Module, optimizer: torch.optim.Optimizer, parts: int, workers: Workers, scaled: bool
    ) -> None:
        self._net, self._optimizer, self._parts, self._workers = net, optimizer, parts, workers
        device = next(net.parameters()).device.type
        self._scaler = torch.amp.GradScaler(device, enabled=scaled)

    def begin(self, rate: float) -> None:
        """Forget the last gradients, and set the learning rate."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad()

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of one part's loss."""
        self._scaler.scale(loss / self._parts).backward()  # type: ignore[no-untyped-call]

    def end(self) -> None:
        """Change the weights."""
        gradients = [value.grad for value in self._net.parameters() if value.grad is not None]
        self._workers.add_up(gradients)
        self._scaler.unscale_(self._optimizer)
        nn.utils.clip_grad_norm_(self._net.parameters(), LARGEST_GRADIENT)
        self._scaler.step(self._optimizer)
        self._scaler.update()

    def optimizer_state(self) -> dict[str, Any]:
        """Give what a resumed run needs of the optimizer."""
        return self._optimizer.state_dict()

    def scaler_state(self) -> dict[str, Any]:
        """Give what a resumed run needs of the losses' scale; empty where they are not scaled."""
        return self._scaler.state_dict()

    def load(self, optimizer: dict[str, Any], scaler: dict[str, Any]) -> None:
        """Take up the state of an interrupted run."""
        self._optimizer.load_state_dict(optimizer)
        if scaler:
            self._scaler.load_state_dict(scaler)


class PartStatistics:
    """BatchNorm statistics of a net over one pass through the parts of a batch."""

    def __init__(self, net: nn.Module, parts: int, workers: Workers) -> None:
        self._parts, self._workers = parts, workers
        self._several = parts > 1
        # Written to through .data: the backward pass has no use for running statistics, but would refuse
        # to go on if it noticed that they were changed after the forward pass.
        self._buffers = [buffer.data for buffer in net.buffers()] if self._several else []
        self._before = [buffer.clone() for buffer in self._buffers]
        self._sums = [torch.zeros_like(buffer) for buffer in self._buffers]

    @contextmanager
    def part(self) -> Iterator[None]:
        """Forward one part in this block, from the statistics before the step."""
        for buffer, before in zip(self._buffers, self._before, strict=True):
            buffer.copy_(before)
        yield
        for total, buffer in zip(self._sums, self._buffers, strict=True):
            total += buffer

    def end(self) -> None:
        """Leave the mean of what the parts left."""
        real = [index for index, buffer in enumerate(self._buffers) if buffer.is_floating_point()]
        self._workers.add_up([self._sums[index] for index in real])
        for index in real:  # the others count batches, each part the same
            self._buffers[index].copy_(self._sums[index] / self._parts)


class Meter:
    """Named figures of a batch, averaged over its parts and the processes."""

    def __init__(self, parts: int, workers: Workers) -> None:
        self._parts, self._workers = parts, workers
        self._sums: dict[str, Tensor] = {}

    def add(self, **figures: Tensor) -> None:
        """Take in one part's figures, each of shape ()."""
        for name, figure in figures.items():
            value = figure.detach().float()
            self._sums[name] = self._sums[name] + value if name in self._sums else value

    def means(self) -> dict[str, float]:
        """Give each figure's mean; the same in all processes."""
        sums = torch.stack(list(self._sums.values()))
        self._workers.add_up([sums])
        return dict(zip(self._sums, (sums / self._parts).tolist(), strict=True))
