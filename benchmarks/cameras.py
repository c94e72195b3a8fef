"""What a model does on a camera that it never saw: each camera is left out of a training in turn.

    python benchmarks/cameras.py --data CHASE_DB1 HRF FIVES DRIVE --out runs/cameras

The net of `retina-gan` is trained by its recipe, without an adversarial stage, on all datasets (OUT/all) and
on all but each of them (OUT/without-DRIVE and so on), each time for the same number of iterations. The same
command goes on where it was stopped, and repeats nothing that is finished. Options that are not listed here,
such as --widths, are passed to retina-train.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from camera_scores import Camera, Scorer, rows_of, table, write

from retinagan.runtime.console.command import DONE, UNUSABLE, CommandParser, complain, run_command
from retinagan.runtime.errors import OptionError
from retinagan.train.data.description import Description
from retinagan.train.data.files import folder_name
from retinagan.train.data.given import Given, named_angle, named_text
from retinagan.train.loop.arguments import options_of
from retinagan.train.loop.parser import build_parser as training_parser
from retinagan.train.loop.recorded_command import command_of
from retinagan.train.nets.checkpoint import load_checkpoint

NAME = "cameras.py"
ALL = "all"
MODEL = "model.pt"

RECIPE = (
    "--stem", "2", "--widths", "24,48,96", "--pixels-per-degree", "26", "--largest-magnification", "2",
    "--patch", "304", "--batch", "4", "--reuse", "6", "--warped", "0.5", "--scale", "0.5,2",
)  # fmt: skip
"""Net, scale and augmentation of `retina-gan` (docs/training.md)."""

STATED = {
    "HRF": ("--test-images", "HRF=0[1-5]_*"),
    "FIVES": ("--field-of-view", "FIVES=50", "--terms", "FIVES=CC BY 4.0"),
}
"""What the default model's recipe states about datasets, by the names of their folders."""

TRAINER = (sys.executable, "-m", "retinagan.train.commands")
"""The program `retina-train` of this Python."""


@dataclass(frozen=True)
class Plan:
    """All trainings of a comparison.

    Attributes
    ----------
    data : dict of str to str
        Folders of the datasets by their names.
    out : Path
        Folder of the runs.
    stated : sequence of (str, str, str)
        Options about one dataset: the option, the dataset's name, the option's value.
    more : sequence of str
        Options of all trainings.
    """

    data: dict[str, str]
    out: Path
    stated: Sequence[tuple[str, str, str]] = ()
    more: Sequence[str] = ()

    @property
    def descriptions(self) -> dict[str, Description]:
        """What is stated about the datasets, by name."""
        angles = [(name, float(value)) for option, name, value in self.stated if option == "--field-of-view"]
        tests = [(name, value) for option, name, value in self.stated if option == "--test-images"]
        return Given(angles, tests).of(list(self.data))

    @property
    def runs(self) -> dict[str, str | None]:
        """Names of the trainings, each with the dataset that it leaves out."""
        return {ALL: None} | {f"without-{name}": name for name in self.data}

    def model(self, run: str) -> Path:
        """Return the file of a training's model."""
        return self.out / run / MODEL

    def words(self, run: str) -> list[str]:
        """Return the arguments of `retina-train` for one training."""
        taught = [name for name in self.data if name != self.runs[run]]
        words = ["--data", *(self.data[name] for name in taught), "--out", str(self.out / run), *RECIPE]
        for option, name, value in self.stated:
            if name in taught:
                words += [option, f"{name}={value}"]
        return [*words, *self.more]

    def command(self, run: str) -> str:
        """Return the command that a training's model has in its record."""
        arguments = training_parser(NAME).parse_args(self.words(run))
        return command_of(arguments, options_of(arguments))

    def is_trained(self, run: str) -> bool:
        """Return whether a training is finished.

        Raises
        ------
        OptionError
            If its folder holds a model of another command.
        """
        path = self.model(run)
        if not path.is_file():
            return False
        asked, theirs = self.command(run), load_checkpoint(path).record.get("command")
        if theirs != asked:
            raise OptionError(
                f"{path} was trained by another command; give its options, or another --out\n"
                f"there: {theirs}\nasked: {asked}"
            )
        return True


def train(plan: Plan, runs: Sequence[str]) -> int:
    """Train what is not finished; return 0, or the exit code of the training that stopped."""
    missing = [run for run in runs if not plan.is_trained(run)]
    for number, run in enumerate(missing, 1):
        print(f"[{number}/{len(missing)}] {plan.out / run}", flush=True)
        if code := ended([*TRAINER, *plan.words(run)]):
            return code
    return DONE


def ended(command: Sequence[str]) -> int:
    """Run a command to its end and return its exit code; a signal to this process ends it in order."""
    # in a session of its own, or Ctrl-C would reach it twice, which ends it without a checkpoint
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
    return code if code >= 0 else 128 - code


def build_parser() -> CommandParser:
    """Build the parser; options that it does not know are those of `retina-train`."""
    parser = CommandParser(NAME, __doc__ or "")
    add = parser.add_argument
    add("--data", nargs="+", required=True, metavar="DIR", help="two or more dataset folders")
    add("--out", default="runs/cameras", metavar="DIR", help="folder of the runs (default: %(default)s)")
    add("--only", metavar="NAME", help="only this training: all, or the dataset that it leaves out")
    add("--no-training", action="store_true", help="score the models that are there, and train none")
    add("--iterations", default="600", metavar="N", help="of each training (default: %(default)s)")
    add("--learning-rate", default="0.0015", metavar="RATE", help="peak rate (default: %(default)s)")
    add("--threads", type=int, metavar="N", help="CPU threads (default: all)")
    add("--jitter-workers", metavar="N", help="as of retina-train")
    for option in ("--test-images", "--terms", "--citation"):
        add(option, action="append", default=[], type=named_text, metavar="NAME=TEXT",
            help="as of retina-train (default: what the recipe states about HRF and FIVES)")  # fmt: skip
    add("--field-of-view", action="append", default=[], type=named_angle, metavar="NAME=DEGREES",
        help="as of retina-train (default: FIVES=50)")  # fmt: skip
    return parser


def plan_of(arguments: argparse.Namespace, more: Sequence[str]) -> Plan:
    """Return the trainings that the arguments ask for.

    Raises
    ------
    OptionError
        If there is no camera to leave out, or an option is not one of `retina-train`.
    """
    data = {folder_name(folder): folder for folder in arguments.data}
    if len(data) < max(len(arguments.data), 2):
        raise OptionError(
            f"--data {' '.join(arguments.data)}: expected two or more folders of different names"
        )
    words = ["--iterations", arguments.iterations, "--learning-rate", arguments.learning_rate]
    for option, value in (("--threads", arguments.threads), ("--jitter-workers", arguments.jitter_workers)):
        words += [] if value is None else [option, str(value)]
    plan = Plan(data, Path(arguments.out), _stated(arguments, data), [*words, *more])
    plan.command(ALL)  # reports wrong options before any training
    return plan


def _stated(arguments: argparse.Namespace, data: dict[str, str]) -> list[tuple[str, str, str]]:
    """Return what is stated about the datasets: what is given replaces what the recipe states."""
    stated: dict[tuple[str, str], str] = {}
    for name, words in STATED.items():
        for option, value in zip(words[::2], words[1::2], strict=True):
            if name in data:
                stated[option, name] = value.partition("=")[2]
    for option in ("--test-images", "--terms", "--citation", "--field-of-view"):
        for name, value in getattr(arguments, option[2:].replace("-", "_")):
            if name not in data:
                raise OptionError(
                    f"{option} {name}=...: no folder of --data has this name; its folders: {', '.join(data)}"
                )
            stated[option, name] = f"{value:g}" if isinstance(value, float) else value
    return [(option, name, value) for (option, name), value in stated.items()]


def _runs(plan: Plan, only: str | None) -> list[str]:
    names = {run if left_out is None else left_out: run for run, left_out in plan.runs.items()}
    if only is None:
        return list(names.values())
    if only not in names:
        raise OptionError(f"--only {only}: expected one of {', '.join(names)}")
    return [names[only]]


def score(plan: Plan, only: str | None, threads: int | None) -> int:
    """Score the models that are there, and print and write the table; return 0, or 2 if there is none."""
    scorers = {
        run: Scorer(plan.model(run), plan.out / run / "counts", threads)
        for run in plan.runs
        if plan.is_trained(run)
    }
    rows = []
    for run, left_out in plan.runs.items():
        if left_out is None or only not in (None, ALL, left_out):
            continue
        if run not in scorers:
            complain(NAME, f"{run} is not trained yet; the same command without --no-training trains it")
        camera = Camera.of(plan.data[left_out], left_out, plan.descriptions[left_out])
        rows += rows_of(camera, None if only == ALL else scorers.get(run), scorers.get(ALL))
    if not rows:
        return UNUSABLE
    print(table(rows))
    write(rows, scorers, plan.out)
    return DONE


def compare(arguments: argparse.Namespace, more: Sequence[str]) -> int:
    """Train what is missing, and score; return the exit code."""
    plan = plan_of(arguments, more)
    runs = _runs(plan, arguments.only)
    if not arguments.no_training and (code := train(plan, runs)):
        return code
    return score(plan, arguments.only, arguments.threads)


def main(words: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command(NAME, lambda: compare(*build_parser().parse_known_args(words)))


if __name__ == "__main__":
    sys.exit(main())
