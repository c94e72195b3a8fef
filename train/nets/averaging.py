"""Running average of the weights of a net, smoother than those of a single step."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Net = TypeVar("Net", bound=nn.Module)


class WeightAverage(Generic[Net]):
    """Exponential moving average of parameters and BatchNorm statistics.

    Parameters
    ----------
    net : nn.Module
        Net that is trained.
    decay : float
        Share of the old average kept at each update, in [0, 1). The first updates keep less, so that the
        random start is forgotten quickly. With 0 the average is the net itself.
    """

    def __init__(self, net: Net, decay: float) -> None:
        if not 0.0 <= decay < 1.0:
            raise ValueError(f"decay is {decay}, expected at least 0 and below 1")
        self.net: Net = copy.deepcopy(net)
        self.net.eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, net: Net, iteration: int) -> None:
        """Add the weights of the net after step number `iteration`, counted from 0."""
        decay = min(self._decay, (1.0 + iteration) / (10.0 + iteration)) if self._decay else 0.0
        averaged, current = _tensors(self.net), _tensors(net)
        torch._foreach_lerp_(averaged, current, 1.0 - decay)


def _tensors(net: nn.Module) -> list[Tensor]:
    return [value for value in net.state_dict().values() if value.is_floating_point()]
