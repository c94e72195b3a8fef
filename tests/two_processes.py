"""Train for a few steps as one of the processes that torchrun starts, and save the result."""

import sys
from pathlib import Path

import torch
from small_dataset import small_options, training_images

from retinagan.train.loop.trainer import Trainer
from retinagan.train.loop.workers import joined, torchrun_workers


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    workers = torchrun_workers()
    images = training_images(folder / f"data{workers.rank}")
    with joined(workers, torch.device("cpu")):
        trainer = Trainer(images, parallel_options(), workers=workers)
        losses = [trainer.step() for _ in range(4)]
    torch.save(result(trainer, losses), folder / f"rank{workers.rank}.pt")


def parallel_options():
    return small_options(2, 2, image_batch=2, accumulate=2)


def result(trainer: Trainer, losses: list[dict[str, float]]) -> dict:
    """Return losses, weights, statistics and the gradients of the last step."""
    nets = {"generator": trainer.generator, "discriminator": trainer.discriminator}
    states = {f"{net}.{name}": value for net in nets for name, value in nets[net].state_dict().items()}
    gradients = {
        f"{net}.{name} gradient": value.grad for net in nets for name, value in nets[net].named_parameters()
    }
    return {"losses": losses, "tensors": {**states, **gradients}}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
