"""What `retina-eval` does."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path

from retinagan.runtime import __version__
from retinagan.runtime.console.command import DONE
from retinagan.runtime.console.wording import counted
from retinagan.runtime.errors import OptionError
from retinagan.runtime.memory import return_large_arrays
from retinagan.runtime.steps.threshold import FIXED
from retinagan.train.data.files import (
    ALL,
    TRAINING,
    Dataset,
    find_dataset,
    folder_name,
    print_notes,
)
from retinagan.train.data.given import ASSUMED, KNOWN, Given
from retinagan.train.scores.bootstrap import LEVEL, RESAMPLES, SEED
from retinagan.train.scores.dataset import (
    Evaluation,
    Task,
    Threshold,
    evaluate_dataset,
    threshold_from_training,
)
from retinagan.train.scores.evaluation import FOV, MODEL, POOLED, Row
from retinagan.train.scores.files import (
    difference_table,
    summary_table,
    table,
    write_csv,
    write_datasets_csv,
    write_facts,
)
from retinagan.train.scores.parser import BOTH
from retinagan.train.scores.prediction import Predictor, open_predictor


def evaluate(arguments: argparse.Namespace) -> int:
    """Run the evaluation of parsed arguments and return the exit code."""
    return_large_arrays()
    folder = _output_folder(arguments)
    names = [folder_name(data) for data in arguments.data]
    if len(set(names)) < len(names):
        raise OptionError(f"--data {' '.join(arguments.data)}: two folders have one name; expected different")
    way, given = _stated(arguments)
    known = given.of(names)
    datasets = {
        data: find_dataset(data, arguments.split, known[name])
        for data, name in zip(arguments.data, names, strict=True)
    }
    for dataset in datasets.values():
        print_notes("retina-eval", dataset)
    predictor = open_predictor(
        arguments.source,
        arguments.threads,
        device=arguments.device,
        engine=arguments.engine,
        pixels_per_degree=arguments.pixels_per_degree,
    )
    other = None if arguments.against is None else open_predictor(arguments.against, arguments.threads)
    rival = None
    if other is not None:
        rival = other, Threshold.one_of(other) if arguments.threshold == FIXED else Threshold.of(other)
    done = []
    with predictor.resources, nullcontext() if other is None else other.resources:
        for data, dataset in datasets.items():
            for angle in _angles(way, dataset, predictor, other):
                task = Task(data, dataset, arguments.split, angle, arguments.quiet, known[folder_name(data)])
                threshold = _threshold(arguments.threshold, task, predictor)
                panels = None
                if arguments.figures:
                    panels = _figures_folder(folder, task, arguments) / "panels"
                    panels.mkdir(parents=True, exist_ok=True)
                done.append(evaluate_dataset(task, predictor, threshold, other=rival, panels=panels))
    if len(done) == 1:
        _print_one(done[0], arguments)
    else:
        _print_several(done, arguments)
    if arguments.out:
        _write(done, folder, arguments)
    return DONE


def _stated(arguments: argparse.Namespace) -> tuple[str, Given]:
    """Return the way to set the angle, and what is stated about the datasets."""
    ways = [value for value in arguments.field_of_view if isinstance(value, str)]
    angles = [value for value in arguments.field_of_view if not isinstance(value, str)]
    return ways[-1] if ways else KNOWN, Given(angles, arguments.test_images)


def _angles(asked: str, dataset: Dataset, predictor: Predictor, other: Predictor | None) -> tuple[str, ...]:
    """Return the ways to set the angle; only one if no map depends on it, or no angle is known."""
    if not any(one.takes_angle for one in (predictor, other) if one is not None):
        return (KNOWN,)
    if all(sample.field_of_view is None for sample in dataset.samples):
        return (ASSUMED,)
    return (KNOWN, ASSUMED) if asked == BOTH else (asked,)


def _print_one(evaluation: Evaluation, arguments: argparse.Namespace) -> None:
    task, comparison = evaluation.task, evaluation.comparison
    predictor = evaluation.predictor
    kind = "" if arguments.split == ALL else f"{arguments.split} "
    print(f"{predictor.description}; {counted(len(task.dataset.samples), f'{kind}image')} of {task.data}")
    print(f"scored: {task.dataset.description}{evaluation.known_images(predictor)}")
    if angle := task.angle_told(predictor):
        print(f"field of view: {angle}")
    print(evaluation.threshold.told(evaluation.measured))
    print(table(evaluation.rows, arguments.each))
    if comparison is not None:
        other = comparison.other
        print(f"\ndifferences to {other.description}{evaluation.known_images(other)}")
        print(comparison.threshold.told(comparison.measured))
        print(difference_table(comparison.differences))


def _print_several(done: list[Evaluation], arguments: argparse.Namespace) -> None:
    print(f"{done[0].predictor.description}; inside the FOV at native size, all pixels of a dataset")
    for evaluation in done:
        task, threshold = evaluation.task, evaluation.threshold.told(evaluation.measured)
        known = evaluation.known_images(evaluation.predictor)
        if task.angle == done[0].task.angle:
            images = f"{counted(len(task.dataset.samples), 'image')}, {task.dataset.description}{known}"
            print(f"{evaluation.data}: {images}; {threshold}")
    print(summary_table([(one.data, _angle(one), _pooled_inside(one)) for one in done]))
    if arguments.each:
        for one in done:
            print(f"\n{one.data}, {_angle(one)}\n{table(one.rows, True)}")
    if done[0].comparison is not None:
        at = "one threshold" if arguments.threshold == FIXED else "own thresholds"
        print(f"\ndifferences to {done[0].comparison.other.description}, each at its {at}")
        for one in done:
            assert one.comparison is not None
            known = one.known_images(one.comparison.other)
            print(f"{one.data}, {_angle(one)}{known}\n{difference_table(one.comparison.differences[:1])}")


def _angle(evaluation: Evaluation) -> str:
    told = evaluation.task.angle_told(evaluation.predictor)
    return told.replace(" of the dataset", "").replace(" by the model", "") or "one working size"


def _pooled_inside(evaluation: Evaluation) -> Row:
    """Return the model's scores of all pixels inside the FOV."""
    return next(row for row in evaluation.rows if (row.map, row.region, row.image) == (MODEL, FOV, POOLED))


def _write(done: list[Evaluation], folder: Path, arguments: argparse.Namespace) -> None:
    common = {
        "source": str(arguments.source),
        "predictor": done[0].predictor.description,
        "software": f"retinagan {__version__}",
        "split": arguments.split,
        "intervals": {"over": "images", "resamples": RESAMPLES, "seed": SEED, "level": LEVEL},
    }
    facts = [evaluation.facts() for evaluation in done]
    for one in facts:
        if "against" in one:
            one["against"] = {"source": str(arguments.against), **one["against"]}
    if len(done) == 1:
        write_csv(done[0].rows, folder / "scores.csv")
        write_facts({**common, **facts[0]}, folder / "scores.json")
    else:
        entries = [(one.data, one.task.angle_told(one.predictor), one.rows) for one in done]
        write_datasets_csv(entries, folder / "scores.csv")
        write_facts({**common, "datasets": facts}, folder / "scores.json")
    if arguments.figures:
        from retinagan.train.scores.evaluation_figures import draw_evaluation

        for evaluation in done:
            place = _figures_folder(folder, evaluation.task, arguments)
            draw_evaluation(evaluation.measured, evaluation.rows, place)
    print(f"written: {', '.join(str(path) for path in sorted(folder.iterdir()))}")


def _output_folder(arguments: argparse.Namespace) -> Path:
    if arguments.figures and not arguments.out:
        raise OptionError("--figures needs a folder to write to; name one with --out DIR")
    if arguments.figures and find_spec("matplotlib") is None:
        raise OptionError('--figures: matplotlib is not installed; type  pip install "retinagan[train]"')
    folder = Path(arguments.out or ".")
    if arguments.out:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OptionError(
                f"cannot write to the folder {arguments.out!r} ({error.strerror}); choose another with --out"
            ) from None
    return folder


def _figures_folder(folder: Path, task: Task, arguments: argparse.Namespace) -> Path:
    """Return the folder for a dataset's figures: the output folder, or one in it for several datasets."""
    if len(arguments.data) > 1:
        folder = folder / folder_name(task.data)
    return folder / task.angle if _stated(arguments)[0] == BOTH else folder


def _threshold(text: str | None, task: Task, predictor: Predictor) -> Threshold:
    """Return the threshold to score at, which never depends on the scored images."""
    if text == TRAINING:
        return threshold_from_training(task, predictor)
    if text is None:
        return Threshold.of(predictor)
    if text != FIXED:
        return Threshold.fixed(_number(text), "as --threshold says")
    if predictor.thresholding is None:
        raise OptionError(
            f"--threshold fixed: {predictor.description}: no threshold comes with it; "
            "give a number from 0 to 1, or the word training"
        )
    return Threshold.one_of(predictor)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0.0 <= value <= 1.0:
        raise OptionError(f"--threshold {text}: expected 0 to 1, or one of the words training and fixed")
    return value
