"""A small generator with BatchNorm statistics as after a training, and its checkpoint."""

from pathlib import Path

import torch
from torch import nn

from retinagan.runtime.model.parameters import NetworkInput, Preprocessing, Tiling
from retinagan.train.nets.checkpoint import Checkpoint
from retinagan.train.nets.config import GeneratorConfig
from retinagan.train.nets.generator import Generator


def small_generator(**changes) -> Generator:
    """A generator of widths 4 and 8 in eval mode, or of another config, always the same."""
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(**({"widths": (4, 8)} | changes)))
    disturb_batch_norm(generator)
    return generator.eval()


def disturb_batch_norm(module: nn.Module) -> None:
    """Give every BatchNorm other statistics and factors than the neutral ones it starts with."""
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.normal_(norm.running_mean, 0.0, 0.3)
            nn.init.uniform_(norm.running_var, 0.3, 2.0)
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, 0.0, 0.3)


def write_checkpoint(path: Path, generator: Generator, **changes) -> Path:
    """Write a checkpoint for working squares of 64 pixels, with other values for some attributes."""
    values = {
        "preprocessing": Preprocessing("ace", 5.0, 64),
        "network_input": NetworkInput(divisor=generator.config.divisor),
        "tiling": Tiling(32, 0.25),
        "threshold": 0.4,
        "record": {"options": {"model": "ru-net", "seed": 3}, "iterations": 7},
    }
    Checkpoint(generator, **(values | changes)).save(path)
    return path
