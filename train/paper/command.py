"""The command `retina-reproduce`: train the paper's systems, score them and write the results page."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

import torch

from retinagan.runtime import __version__
from retinagan.runtime.atomic import written_atomically
from retinagan.runtime.console.command import CommandParser, run_command
from retinagan.runtime.doctor.machine import describe_cpu
from retinagan.runtime.errors import OptionError
from retinagan.train.data.files import ALL, TRAINING, Sample, find_samples, folder_name
from retinagan.train.data.images import load_labelled
from retinagan.train.loop import command as train_command
from retinagan.train.loop import parser as train_parser
from retinagan.train.paper.page import Facts, results_page
from retinagan.train.paper.printed import SYSTEMS, System
from retinagan.train.paper.reproduction import (
    PROGRESS_OF,
    Result,
    is_trained,
    measure_system,
    progress_models,
    training_arguments,
)
from retinagan.train.scores.files import write_csv

_NAME = "retina-reproduce"
ITERATIONS = 2000
SHOWN = 2
"""Number of images in figure 8."""

EPILOG = """\
All other options, such as --seed, --widths and --threads, are passed to retina-train for every system. Each
system has a folder in --out, such as gan-ace. A trained system is not trained again; an interrupted training
continues. Figures 7 and 8 show images, and a dataset's images may not be redistributable: those of --data are
written to panels/ in --out, those of --synthetic to the page. To draw some:
examples/synthetic_fundus.py --count 2 --out DIR
"""


def build_parser() -> CommandParser:
    """Return the command's parser; unknown options are passed to `retina-train`."""
    parser = CommandParser(
        _NAME,
        "Train the systems of the paper's tables under one budget and compare their scores with the paper's.",
        EPILOG,
        wrap=True,
    )
    add = parser.add_argument
    add(
        "--data",
        required=True,
        metavar="DIR",
        help="DRIVE, or another dataset with folders training/ and test/",
    )
    add("--out", default="runs/reproduction", metavar="DIR", help="folder of the runs (default: %(default)s)")
    add("--page", metavar="DIR", help="folder for results.md and its images/ (default: --out)")
    add("--iterations", type=int, default=ITERATIONS, metavar="N",
        help="training budget of each system, in steps of one image (default: %(default)s)")  # fmt: skip
    add("--synthetic", metavar="DIR", help="dataset of synthetic images for figures 7 and 8 of the page")
    add("--no-training", action="store_true", help="score the trained systems and leave out the others")
    add("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def reproduce(arguments: argparse.Namespace, more: list[str]) -> int:
    """Train the missing systems, score all and write the page; return 0 or a stopped training's exit code."""
    _check(arguments, more)
    out = Path(arguments.out)
    samples = find_samples(arguments.data, "test")
    plans = {
        system: training_arguments(system, arguments.iterations, arguments.data, out / system.name, more)
        for system in SYSTEMS
    }
    for plan in plans.values():
        _check_plan(plan)
        train_parser.options_of(plan)  # reports wrong options now, not after the first system
    for number, (system, plan) in enumerate(plans.items(), 1):
        if arguments.no_training or is_trained(plan):
            continue
        print(f"[{number}/{len(plans)}] {system.title}", flush=True)
        code = train_command.train(plan)
        if code:
            return code
    results = []
    for system, plan in plans.items():
        if is_trained(plan):
            print(f"scoring {system.title} on {len(samples)} images", flush=True)
            results.append(measure_system(system, out / system.name, samples))
            write_csv(results[-1].rows, out / system.name / "scores.csv")
    if not results:
        raise OptionError(f"{out}: no system is trained with this budget; leave out --no-training")
    _write(arguments, more, results, samples)
    return 0


def _check(arguments: argparse.Namespace, more: list[str]) -> None:
    if arguments.iterations < 1:
        raise OptionError(f"--iterations: got {arguments.iterations}; expected a whole number from 1")
    ours = ("--model", "--preprocess", "--adversarial-iterations", "--adversarial-weight", "--snapshots")
    for word in more:
        if word.split("=")[0] in ours:
            raise OptionError(f"{word}: each system of the paper sets its own; leave it out")
    if not all((Path(arguments.data) / split).is_dir() for split in ("training", "test")):
        raise OptionError(
            f"{arguments.data}: expected a dataset with folders training and test, like DRIVE, so that no "
            "image is in both"
        )
    if arguments.synthetic and not Path(arguments.synthetic).is_dir():
        raise OptionError(
            f"--synthetic {arguments.synthetic}: no such folder; create one with examples/synthetic_fundus.py"
        )
    if arguments.synthetic:
        find_samples(arguments.synthetic, ALL)
    for option, folder in (("--out", arguments.out), ("--page", arguments.page)):
        try:
            Path(folder or ".").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OptionError(
                f"{option} {folder}: expected a folder to write to ({error.strerror})"
            ) from error


def _check_plan(plan: argparse.Namespace) -> None:
    """Refuse options that would make the comparison unfair, however they were written."""
    if plan.split != TRAINING:
        raise OptionError(f"--split {plan.split}: the test images are for scoring; leave out --split")
    if plan.init:
        raise OptionError(
            f"--init {plan.init}: no checkpoint fits all of the paper's systems; leave out --init"
        )


def _write(
    arguments: argparse.Namespace, more: list[str], results: list[Result], samples: list[Sample]
) -> None:
    """Draw the figures and write the page."""
    from retinagan.train.paper.figures import draw_line_figures  # imports matplotlib, which is slow

    out, page = Path(arguments.out), Path(arguments.page or arguments.out)
    (page / "images").mkdir(parents=True, exist_ok=True)
    draw_line_figures(results, [sample.name for sample in samples], page / "images")
    drawn: list[Sample] = []
    if {PROGRESS_OF, System("ru-net", "ace")} <= {result.system for result in results}:
        (out / "panels").mkdir(exist_ok=True)
        _draw_panels(samples, arguments, out / "panels")
        if arguments.synthetic:
            drawn = find_samples(arguments.synthetic, ALL)
            _draw_panels(drawn, arguments, page / "images")
    facts = _facts(arguments, more, results, len(samples), synthetic=bool(drawn))
    with written_atomically(page / "results.md") as temporary:
        temporary.write_text(results_page(results, facts), encoding="utf-8")
    print(f"written: {page / 'results.md'}")


def _draw_panels(samples: list[Sample], arguments: argparse.Namespace, folder: Path) -> None:
    """Draw figures 7 and 8 with the first images of a dataset."""
    from retinagan.train.paper.figures import draw_comparison, draw_progress

    out = Path(arguments.out)
    images = [load_labelled(sample) for sample in samples[:SHOWN]]
    models = progress_models(out / PROGRESS_OF.name, arguments.iterations)
    draw_progress(images[0], models, folder / "figure-7.png")
    draw_comparison(images, out, folder / "figure-8.png")


def _facts(
    arguments: argparse.Namespace, more: list[str], results: list[Result], images: int, synthetic: bool
) -> Facts:
    out, page = Path(arguments.out), Path(arguments.page or arguments.out)
    training = train_parser.build_parser(_NAME).parse_args(["--data", arguments.data, *more])
    precisions = {result.precision for result in results}
    if len(precisions) == 1:
        (training.precision,) = (
            precisions  # the precision they were trained in, not the one this machine would choose
        )
    options = train_parser.options_of(training)
    words = ["retina-reproduce", "--data", folder_name(arguments.data)]
    words += ["--iterations", str(arguments.iterations), *train_parser.deciding(training, options)]
    if synthetic:
        words += ["--synthetic", folder_name(arguments.synthetic)]
    return Facts(
        command=shlex.join(words),
        data=folder_name(arguments.data),
        images=images,
        iterations=arguments.iterations,
        batch=options.image_batch,
        patches=(options.preprocessing.fixed_size // options.patch) ** 2,
        models=_place(out, page),
        machine=f"torch {torch.__version__}, {describe_cpu()}",
        progress=tuple(progress_models(out / PROGRESS_OF.name, arguments.iterations)),
        synthetic=synthetic,
    )


def _place(out: Path, page: Path) -> str:
    """Link the runs' folder if it is below the page's; otherwise name the option."""
    if out != page and out.resolve().is_relative_to(page.resolve()):
        name = out.resolve().relative_to(page.resolve()).as_posix()
        return f"[{name}]({name})"
    return "the folders of `--out`"


def main(argv: list[str] | None = None) -> int:
    """Run `retina-reproduce`.

    Returns
    -------
    int
        Exit code: 0 for success, 2 for invalid options or data, 70 for a defect, 128 + the signal's number if
        a signal stopped it.
    """
    return run_command(
        _NAME,
        lambda: reproduce(*_parsed(argv)),
        interrupted="interrupted; run the same command to continue",
    )


def _parsed(argv: list[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """Parse this command's options, and give those that are for `retina-train`."""
    parser = build_parser()
    arguments, more = parser.parse_known_args(argv)
    training = train_parser.build_parser(parser.prog)
    unknown = training.parse_known_args(["--data", arguments.data, *more])[1]
    if unknown:
        parser.error(f"unknown to this command and to retina-train: {' '.join(unknown)}")
    return arguments, more
