"""The processes of one training, as started by torch's `torchrun`; one process without it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed
from torch import Tensor

from retinagan.runtime.errors import OptionError


@dataclass(frozen=True)
class Workers:
    """The place of a process among those that train together.

    All processes hold the same weights and draw the same batches; each computes its share of a batch.
    torch's DistributedDataParallel is not used: its hooks expect one forward pass for each backward pass,
    and the discriminator runs three times a step, once with its weights frozen.

    Parameters
    ----------
    rank : int
        Number of this process, from 0; only process 0 writes files and prints.
    count : int
        Number of processes.
    local_rank, local_count : int
        The same among the processes of this machine.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0

    def add_up(self, tensors: list[Tensor]) -> None:
        """Replace each tensor by its sum over the processes, in one reduction."""
        if self.count == 1 or not tensors:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        torch.distributed.all_reduce(flat)
        for tensor, part in zip(tensors, torch.split(flat, [t.numel() for t in tensors]), strict=True):
            tensor.copy_(part.view(tensor.shape))

    def largest(self, number: int, device: torch.device) -> int:
        """Return the largest of the numbers of all processes."""
        if self.count == 1:
            return number
        value = torch.tensor([number], device=device)
        torch.distributed.all_reduce(value, torch.distributed.ReduceOp.MAX)
        return int(value.item())

    def refuse_disagreement(self, what: str, number: int, device: torch.device) -> None:
        """Raise OptionError in all processes if they do not have the same number."""
        low, high = -self.largest(-number, device), self.largest(number, device)
        if low != high:
            raise OptionError(
                f"the processes disagree on the {what} ({low} and {high}): --out must be one folder that all "
                "machines share, --data the same images"
            )


ALONE = Workers()


def torchrun_workers(environment: Mapping[str, str] | None = None) -> Workers:
    """Return the place of this process by the variables that torchrun sets; alone if they are not set.

    Parameters
    ----------
    environment : mapping of str to str, optional
        Environment variables; those of this process by default.
    """
    variables = os.environ if environment is None else environment
    if "TORCHELASTIC_RUN_ID" not in variables:
        return ALONE
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    return Workers(*(int(variables[name]) for name in names))


@contextmanager
def joined(workers: Workers, device: torch.device) -> Iterator[None]:
    """Connect the processes for the block: by NCCL on CUDA devices, by gloo on CPUs."""
    if workers.count == 1:
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    torch.distributed.init_process_group(backend, rank=workers.rank, world_size=workers.count)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()
