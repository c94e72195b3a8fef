"""What `retina-eval` does."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tqdm import tqdm

from retinagan.runtime import __version__
from retinagan.runtime.console.command import CommandParser, run_command
from retinagan.runtime.errors import OptionError
from retinagan.train.data.files import (
    ALL,
    SPLITS,
    TEST,
    TRAINING,
    Dataset,
    Sample,
    find_dataset,
    find_samples,
    folder_name,
    print_notes,
)
from retinagan.train.data.images import LabelledImage, load_labelled
from retinagan.train.scores.bootstrap import LEVEL, RESAMPLES, SEED
from retinagan.train.scores.comparison import Difference, differences
from retinagan.train.scores.evaluation import Measured, inside_fov, measure, score
from retinagan.train.scores.files import as_entry, difference_table, table, write_csv, write_json
from retinagan.train.scores.prediction import Predict, Predictor, open_predictor

DEFAULT_THRESHOLD = 0.5

EPILOG = """\
Three kinds of figures, always all: inside the field of view at native size; the whole image at native size,
whose black surround counts as right; and the whole image squeezed to 512x512. Compare like with like only.
"""


@dataclass(frozen=True)
class Threshold:
    """Probability from which on a pixel is a vessel, and where it is from, for people."""

    value: float
    origin: str

    @classmethod
    def of(cls, predictor: Predictor) -> Threshold:
        """Give a model's own threshold, or the default of one that has none."""
        if predictor.threshold is None:
            return cls(DEFAULT_THRESHOLD, "the default; --threshold training chooses on training images")
        return cls(predictor.threshold, "the model's own, from its training images")


@dataclass(frozen=True)
class Above:
    """How much the model is above another on the same images."""

    other: Predictor
    threshold: Threshold
    differences: list[Difference]

    def facts(self) -> dict[str, Any]:
        """Give plain types for JSON."""
        return {
            "predictor": self.other.description,
            "threshold": self.threshold.value,
            "threshold_from": self.threshold.origin,
            "differences": [as_entry(one) for one in self.differences],
        }


def build_parser() -> CommandParser:
    """Build the command's parser."""
    description = "Score a model or a folder of vessel maps against experts' maps."
    parser = CommandParser("retina-eval", description, EPILOG, wrap=True)
    add = parser.add_argument
    add("source", metavar="MODEL_OR_MAPS", help="an ONNX file, a bundled model's name, a checkpoint (.pt), "
        "or a folder of maps as retina-run --save probability writes them")  # fmt: skip
    add("--data", required=True, metavar="DIR",
        help="dataset folder: DRIVE, CHASE_DB1, STARE, HRF, or images/ with labels/")  # fmt: skip
    add("--split", choices=SPLITS, default=TEST, help="images to score (default: %(default)s)")
    add(
        "--threshold",
        metavar="P",
        help="probability from which on a pixel is a vessel, or the word training: choose it on the "
        "dataset's training images (default: the model's own, else 0.5)",
    )
    add("--against", metavar="MODEL_OR_MAPS", help="score this too, at its own threshold, and print "
        "how much the first is above it, with intervals over the images")  # fmt: skip
    add("--out", metavar="DIR", help="write scores.csv and scores.json there, with a row for each image")
    add("--figures", action="store_true", help="draw ROC curves, lines for each image, and panels into --out")
    add("--each", action="store_true", help="print each image's scores too")
    add("--threads", type=int, metavar="N", help="CPU threads (default: all)")
    add("--quiet", action="store_true", help="no progress bar")
    add("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def evaluate(arguments: argparse.Namespace) -> int:
    """Evaluate as parsed arguments say; the exit code."""
    folder = _output_folder(arguments)
    dataset = find_dataset(arguments.data, arguments.split)
    print_notes("retina-eval", dataset)
    samples = dataset.samples
    predictor = open_predictor(arguments.source, arguments.threads)
    other = None if arguments.against is None else open_predictor(arguments.against, arguments.threads)
    with predictor.resources, nullcontext() if other is None else other.resources:
        threshold = _threshold(arguments, predictor, samples)
        predict = predictor.predict
        if arguments.figures:
            predict = _drawing_panels(predict, threshold.value, folder / "panels")
        measured = list(measure(predict, _loaded(samples, arguments.quiet), threshold.value))
        above = None if other is None else _above(other, measured, _loaded(samples, arguments.quiet))
    rows = score(measured)
    kind = "" if arguments.split == ALL else f"{arguments.split} "
    print(f"{predictor.description}; {len(samples)} {kind}images of {arguments.data}")
    print(f"scored: {dataset.description}{_known_images(predictor, arguments.data, samples)}")
    print(f"threshold {threshold.value:.4g}: {threshold.origin}")
    print(table(rows, arguments.each))
    if above is not None:
        print(f"\nabove {above.other.description}{_known_images(above.other, arguments.data, samples)}")
        print(f"threshold {above.threshold.value:.4g}: {above.threshold.origin}")
        print(difference_table(above.differences))
    if arguments.out:
        write_csv(rows, folder / "scores.csv")
        facts = _facts(arguments, predictor, dataset, threshold)
        if above is not None:
            facts["above"] = {"source": str(arguments.against), **above.facts()}
        write_json(rows, facts, folder / "scores.json")
        if arguments.figures:
            from retinagan.train.scores.evaluation_figures import draw_evaluation

            draw_evaluation(measured, rows, folder)
        print(f"written: {', '.join(str(path) for path in sorted(folder.iterdir()))}")
    return 0


def _above(other: Predictor, measured: list[Measured], images: Iterable[LabelledImage]) -> Above:
    """Score another model on the same images, at its own threshold."""
    threshold = Threshold.of(other)
    theirs = list(measure(other.predict, images, threshold.value))
    return Above(other, threshold, differences(measured, theirs))


def _output_folder(arguments: argparse.Namespace) -> Path:
    if arguments.figures and not arguments.out:
        raise OptionError("--figures: where to? Name a folder with --out DIR")
    if arguments.figures and find_spec("matplotlib") is None:
        raise OptionError('--figures: matplotlib is not installed; type  pip install "retinagan[train]"')
    folder = Path(arguments.out or ".")
    if arguments.out:
        folder.mkdir(parents=True, exist_ok=True)
    if arguments.figures:
        (folder / "panels").mkdir(exist_ok=True)
    return folder


def _known_images(predictor: Predictor, data: str, scored: list[Sample]) -> str:
    """Say how many of the images the model was trained with, held-out ones too; mostly nothing."""
    known = sum(predictor.trained_on(folder_name(data), sample.name) for sample in scored)
    return f"; {known} of these trained the model or chose its threshold" if known else ""


def _threshold(arguments: argparse.Namespace, predictor: Predictor, scored: list[Sample]) -> Threshold:
    """Find the threshold to score at; never by looking at test images."""
    if arguments.threshold == TRAINING:
        samples = find_samples(arguments.data, TRAINING)
        if arguments.split != TRAINING and {one.image for one in samples} & {one.image for one in scored}:
            raise OptionError(
                f"--threshold training: images to score are training images of {arguments.data}, so they "
                "would choose their own threshold; give a number, or leave it out for the model's own"
            )
        histogram = inside_fov(predictor.predict, _loaded(samples, arguments.quiet))
        where = f"on {len(samples)} training images of {folder_name(arguments.data)}"
        return Threshold(histogram.best_threshold(), f"the largest Dice inside the FOV {where}")
    if arguments.threshold is not None:
        return Threshold(_number(arguments.threshold), "as --threshold says")
    return Threshold.of(predictor)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0.0 <= value <= 1.0:
        raise OptionError(f"--threshold {text}: expected 0 to 1, or the word training")
    return value


def _drawing_panels(predict: Predict, threshold: float, folder: Path) -> Predict:
    """Give a predictor that also draws each image's panel, so that no map need be kept."""
    from retinagan.train.scores.figures import draw_panel  # imports matplotlib, which is wanted here alone

    def predict_and_draw(image: LabelledImage) -> Any:
        probability = predict(image)
        draw_panel(image.image, image.truth, probability, threshold, folder / f"{image.name}.png")
        return probability

    return predict_and_draw


def _facts(
    arguments: argparse.Namespace, predictor: Predictor, dataset: Dataset, threshold: Threshold
) -> dict[str, Any]:
    return {
        "source": str(arguments.source),
        "predictor": predictor.description,
        "software": f"retinagan {__version__}",
        "data": folder_name(arguments.data),
        "split": arguments.split,
        "scored": dataset.description,
        "images": len(dataset.samples),
        "threshold": threshold.value,
        "threshold_from": threshold.origin,
        "intervals": {"over": "images", "resamples": RESAMPLES, "seed": SEED, "level": LEVEL},
    }


def _loaded(samples: Iterable[Sample], quiet: bool) -> Iterator[LabelledImage]:
    for sample in tqdm(samples, unit="image", disable=quiet or not sys.stderr.isatty()):
        yield load_labelled(sample)


def main(argv: list[str] | None = None) -> int:
    """Run `retina-eval`; the exit code: 0 done, 2 invalid options or data, 70 a defect."""
    return run_command("retina-eval", lambda: evaluate(build_parser().parse_args(argv)))
