"""Train for a few steps in two processes, with the variables that torchrun sets, and save what each came to.

The processes are forked with torch and what its optimizers import, which take longer to load than the steps.
"""

import multiprocessing
import os
import socket
import sys
from multiprocessing.connection import wait
from pathlib import Path

import torch
import torch._dynamo
from small_dataset import small_options, training_images

from retinagan.train.loop.trainer import Trainer
from retinagan.train.loop.workers import joined, torchrun_workers

COUNT = 2


def main(folder: Path) -> int:
    """Return 0 if all processes have ended well; the others of one that has not are stopped."""
    torch.set_num_threads(1)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=train, args=(folder, rank, port)) for rank in range(COUNT)]
    for process in processes:
        process.start()
    running = list(processes)
    while running and not any(process.exitcode for process in processes):
        wait([process.sentinel for process in running])
        running = [process for process in running if process.exitcode is None]
    for process in running:
        process.kill()
    return int(any(process.exitcode for process in processes))


def train(folder: Path, rank: int, port: int) -> None:
    count = str(COUNT)
    os.environ |= {"TORCHELASTIC_RUN_ID": "test", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": count, "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": count}
    workers = torchrun_workers()
    images = training_images(folder / f"data{rank}")
    with joined(workers, torch.device("cpu")):
        trainer = Trainer(images, parallel_options(), workers=workers)
        losses = [trainer.step() for _ in range(4)]
    torch.save(result(trainer, losses), folder / f"rank{rank}.pt")


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
    sys.exit(main(Path(sys.argv[1])))
