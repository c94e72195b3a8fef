"""How many iterations a second a training on patches does, and what the time goes into.

    python benchmarks/training_speed.py --data CHASE_DB1
    python benchmarks/training_speed.py --data CHASE_DB1 --compile

For each side of the working square the table has iterations a second and three shares of the wall time: the
net's own arithmetic (forward, backward and optimizer), waiting for the next batch, and the running average of
the weights. Rounds of all cases alternate, and each figure is the median of the rounds. With --compile, each
case is also run with torch.compile, and the last column is its speed against the same net without.
Compiling takes part in the warm-up and is not timed; it needs a C++ compiler on a CPU.
"""

import argparse
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from retinagan.runtime.doctor.machine import describe_cpu
from retinagan.runtime.errors import OptionError, RetinaGanError
from retinagan.runtime.model.parameters import Preprocessing
from retinagan.train.data.files import TRAINING, find_samples
from retinagan.train.data.images import load_training_images
from retinagan.train.loop.devices import DEVICES, PRECISIONS, choose_device, choose_precision
from retinagan.train.loop.options import StageOptions, TrainingOptions
from retinagan.train.loop.trainer import Trainer
from retinagan.train.scores.prediction import use_threads

HEADER = """\
| square | torch.compile | iterations/s | net | waiting for batches | average | against without |
| ---: | --- | ---: | ---: | ---: | ---: | ---: |"""


@dataclass
class Case:
    """One trainer, and the seconds of its rounds.

    Attributes
    ----------
    side : int
        Side of the working square in pixels.
    compiled : bool
        Whether torch.compile is used.
    trainer : Trainer
        Its batches and its running average are timed.
    spent : dict of str to float
        Seconds in "batches" and "average" since the round began.
    rounds : list of dict
        Iterations a second and shares of each round.
    """

    side: int
    compiled: bool
    trainer: Trainer
    spent: dict[str, float] = field(default_factory=dict)
    rounds: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        batches, average = self.trainer._batches, self.trainer.average
        self._time(batches, "patches", "batches")
        self._time(average, "update", "average")
        if self.compiled:
            self.trainer.generator.compile()

    def _time(self, owner: Any, name: str, key: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any) -> Any:
            start = time.perf_counter()
            result = original(*arguments)
            self._finish()
            self.spent[key] = self.spent.get(key, 0.0) + time.perf_counter() - start
            return result

        setattr(owner, name, timed)

    def _finish(self) -> None:
        if self.trainer.device.type == "cuda":
            torch.cuda.synchronize()

    def run(self, iterations: int) -> None:
        """Do a round of iterations, and keep its figures."""
        self._finish()
        self.spent.clear()
        start = time.perf_counter()
        for _ in range(iterations):
            self.trainer.step()
        self._finish()
        wall = time.perf_counter() - start
        batches, average = (self.spent[key] / wall for key in ("batches", "average"))
        net = 1.0 - batches - average
        self.rounds.append({"rate": iterations / wall, "net": net, "batches": batches, "average": average})

    def median(self, name: str) -> float:
        """Return the median of a figure over the rounds."""
        return statistics.median(one[name] for one in self.rounds)


def line(case: Case, plain: Case) -> str:
    """Return a case's line of the table, its speed compared with that of the same net not compiled."""
    ratio = f"{case.median('rate') / plain.median('rate'):.2f}" if case.compiled else ""
    shares = " | ".join(f"{case.median(name):.0%}" for name in ("net", "batches", "average"))
    compiled = "yes" if case.compiled else "no"
    return f"| {case.side} | {compiled} | {case.median('rate'):.2f} | {shares} | {ratio} |"


def options_of(arguments: argparse.Namespace, side: int, device: torch.device) -> TrainingOptions:
    """Return the options of a training with a working square of this side."""
    iterations = arguments.warm_up + arguments.rounds * arguments.iterations
    return TrainingOptions(
        model=arguments.model,
        widths=tuple(int(width) for width in arguments.widths.split(",")),
        stem=arguments.stem,
        preprocessing=Preprocessing(working_size=side),
        patches=StageOptions(iterations, 1e-3),
        patch=arguments.patch,
        batch=arguments.batch,
        precision=choose_precision(arguments.precision, device),
    )


@contextmanager
def cases_of(arguments: argparse.Namespace, device: torch.device) -> Iterator[list[Case]]:
    """Make all cases, and end their processes after the block."""
    samples, cases = find_samples(arguments.data, TRAINING), []
    try:
        for side in arguments.sides:
            options = options_of(arguments, side, device)
            images = load_training_images(samples, options.preprocessing)
            for compiled in (False, True) if arguments.compile else (False,):
                trainer = Trainer(images, options, device, jitter_workers=arguments.jitter_workers)
                cases.append(Case(side, compiled, trainer))
        yield cases
    finally:
        for case in cases:
            case.trainer.close()


def measure(arguments: argparse.Namespace) -> None:
    """Measure all cases, and print the table."""
    for name in ("iterations", "rounds", "warm_up"):
        if getattr(arguments, name) < 1:
            raise OptionError(f"--{name.replace('_', '-')} {getattr(arguments, name)}: expected 1 or more")
    device = choose_device(arguments.device)
    compiler = os.environ.get("CXX", "g++")
    if arguments.compile and device.type == "cpu" and shutil.which(compiler) is None:
        raise OptionError(f"--compile: no C++ compiler {compiler} found; install it, or name one in CXX")
    use_threads(arguments.threads)
    with cases_of(arguments, device) as cases:
        for case in cases:
            case.run(arguments.warm_up)
            case.rounds.clear()
        for _ in range(arguments.rounds):
            for case in cases:
                case.run(arguments.iterations)
    where = f"{arguments.threads} threads, {describe_cpu()}"
    if device.type == "cuda":
        where = f"{torch.cuda.get_device_name(device)}, {describe_cpu()}"
    print(
        f"torch {torch.__version__}, {where}; {arguments.model}, stem {arguments.stem}, "
        f"{arguments.batch} patches of {arguments.patch} pixels, {cases[0].trainer.options.precision}, "
        f"{arguments.jitter_workers} jitter workers\n\n{HEADER}"
    )
    plain = {case.side: case for case in cases if not case.compiled}
    for case in cases:
        print(line(case, plain[case.side]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", required=True, metavar="DIR", help="dataset whose training images are used")
    add("--sides", type=int, nargs="+", default=[608, 1216], metavar="PIXELS",
        help="sides of the working square (default: 608 1216)")  # fmt: skip
    add("--model", default="retina-gan", help="system to train (default: %(default)s)")
    add("--widths", default="16,32,64,128", help="channels of each scale (default: %(default)s)")
    add("--stem", type=int, default=2, help="as of retina-train (default: %(default)s)")
    add("--patch", type=int, default=304, help="side of a patch in pixels (default: %(default)s)")
    add("--batch", type=int, default=3, help="patches in a batch (default: %(default)s)")
    add("--precision", choices=("auto", *PRECISIONS), default="auto", help="as of retina-train")
    add("--device", choices=DEVICES, default="cpu", help="where to compute (default: %(default)s)")
    add("--threads", type=int, default=os.cpu_count() or 1, help="CPU threads (default: all)")
    add("--jitter-workers", type=int, default=1, help="as of retina-train (default: %(default)s)")
    add("--warm-up", type=int, default=8, metavar="N", help="iterations before timing (default: %(default)s)")
    add("--iterations", type=int, default=20, metavar="N", help="in a round (default: %(default)s)")
    add("--rounds", type=int, default=5, metavar="N", help="of each case (default: %(default)s)")
    add("--compile", action="store_true", help="run each case with torch.compile too")
    try:
        measure(parser.parse_args())
    except (RetinaGanError, OSError) as error:
        sys.exit(f"training_speed.py: {error}")


if __name__ == "__main__":
    main()
