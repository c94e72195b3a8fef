"""What `retina-reproduce` does: train the paper's systems, score them and write the results page."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

import torch

from retinagan.runtime.atomic import written_atomically
from retinagan.runtime.console.command import DONE
from retinagan.runtime.doctor.machine import describe_cpu
from retinagan.runtime.errors import OptionError
from retinagan.train.data.files import ALL, TRAINING, Sample, find_samples, folder_name
from retinagan.train.data.images import load_labelled
from retinagan.train.loop import command as train_command
from retinagan.train.loop import parser as train_parser
from retinagan.train.loop.arguments import options_of
from retinagan.train.loop.recorded_command import deciding
from retinagan.train.paper.page import Facts, results_page
from retinagan.train.paper.parser import NAME
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

SHOWN = 2
"""Number of images in figure 8."""


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
        options_of(plan)  # reports wrong options now, not after the first system
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
    return DONE


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
    training = train_parser.build_parser(NAME).parse_args(["--data", arguments.data, *more])
    precisions = {result.precision for result in results}
    if len(precisions) == 1:
        (training.precision,) = (
            precisions  # the precision they were trained in, not the one this machine would choose
        )
    options = options_of(training)
    words = ["retina-reproduce", "--data", folder_name(arguments.data)]
    words += ["--iterations", str(arguments.iterations), *deciding(training, options)]
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
