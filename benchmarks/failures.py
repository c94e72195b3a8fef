r"""Where a model fails: the worst test image of each dataset, by Dice, and a picture of its worst part.

    python benchmarks/failures.py retina-gan --data CHASE_DB1 HRF FIVES --out docs/images \
        --test-images 'HRF=0[1-5]_*' --field-of-view FIVES=50 --terms 'FIVES=CC BY 4.0'

A picture has the part of the image with the largest share of wrong pixels: the photograph, the expert's
vessels, and the model's: white where both agree, orange where the model alone sees a vessel, blue where
the expert alone does. Its name is OUT/worst-MODEL-DATASET.jpg. Only images whose terms let them be given away
are drawn.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from retinagan.runtime.atomic import written_atomically
from retinagan.runtime.console.command import DONE, CommandParser, run_command
from retinagan.runtime.errors import OptionError
from retinagan.runtime.steps.threshold import Thresholding
from retinagan.train.data.files import TEST, Dataset, find_dataset, folder_name
from retinagan.train.data.given import Given, named_angle, named_text
from retinagan.train.data.images import LabelledImage, load_labelled
from retinagan.train.scores.dataset import Threshold
from retinagan.train.scores.figures import error_map
from retinagan.train.scores.metrics import Histogram
from retinagan.train.scores.prediction import Predictor, open_predictor

FREE = ("CC0", "CC BY 4.0")
"""Terms under which an image may stand in a document, with attribution."""

SHARE = 0.3
"""Side of the part that is drawn, as a share of the retina's height."""

SIDE, GAP = 400, 6
"""Pixels of each of the three pictures, and between them."""


@dataclass(frozen=True)
class Failure:
    """An image, the model's vessels in it, (H, W) bool, and their Dice inside the FOV."""

    image: LabelledImage
    vessels: NDArray[np.bool_]
    dice: float


def worst_of(dataset: Dataset, predictor: Predictor, thresholding: Thresholding) -> Failure:
    """Return the image of a dataset with the lowest Dice."""
    worst: Failure | None = None
    for sample in tqdm(dataset.samples, dataset.name, unit="image", disable=not sys.stderr.isatty()):
        image = load_labelled(sample)
        probability = predictor.predict(image)
        threshold = thresholding.of_map(probability)
        dice = Histogram.of(probability, image.truth, image.fov).scores(threshold).dice
        if worst is None or dice < worst.dice:
            worst = Failure(image, (probability >= threshold) & image.fov, dice)
    assert worst is not None, "a dataset has an image"
    return worst


def worst_part(wrong: NDArray[np.bool_], side: int) -> tuple[slice, slice]:
    """Return rows and columns of the square with the most wrong pixels, of a map (H, W)."""
    side = min(side, *wrong.shape)
    sums = np.pad(wrong.astype(np.int64), ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    top, left = (int(place) for place in np.unravel_index(inside.argmax(), inside.shape))
    return slice(top, top + side), slice(left, left + side)


def picture(failure: Failure) -> NDArray[np.uint8]:
    """Draw the worst part of an image: photograph, expert, errors; RGB uint8."""
    truth = failure.image.truth & failure.image.fov
    rows = np.flatnonzero(failure.image.fov.any(axis=1))
    place = worst_part(truth ^ failure.vessels, round(SHARE * (rows[-1] - rows[0] + 1)))
    expert = np.repeat(truth[place][..., None] * np.uint8(255), 3, axis=2)
    parts = [failure.image.image[place], expert, error_map(failure.vessels[place], truth[place])]
    gap = np.full((SIDE, GAP, 3), 255, np.uint8)
    drawn = []
    for part in parts:
        how = cv2.INTER_AREA if len(part) > SIDE else cv2.INTER_CUBIC
        drawn += [np.asarray(cv2.resize(part, (SIDE, SIDE), interpolation=how), np.uint8), gap]
    return np.hstack(drawn[:-1])


def build_parser() -> CommandParser:
    """Build the parser."""
    parser = CommandParser("failures.py", __doc__ or "")
    add = parser.add_argument
    add("model", metavar="MODEL", help="a bundled name, an ONNX file or a checkpoint")
    add("--data", nargs="+", required=True, metavar="DIR", help="dataset folders")
    add("--out", required=True, metavar="DIR", help="folder for the pictures")
    add("--test-images", action="append", default=[], type=named_text, metavar="NAME=PATTERNS")
    add("--field-of-view", action="append", default=[], type=named_angle, metavar="NAME=DEGREES")
    add("--terms", action="append", default=[], metavar="[NAME=]TEXT")
    add("--threads", type=int, metavar="N", help="CPU threads (default: all)")
    return parser


def draw(arguments: argparse.Namespace) -> int:
    """Draw a picture for each dataset, and print whose it is."""
    names = [folder_name(folder) for folder in arguments.data]
    stated = Given(arguments.field_of_view, arguments.test_images, arguments.terms).of(names)
    datasets = {
        name: find_dataset(folder, TEST, stated[name])
        for folder, name in zip(arguments.data, names, strict=True)
    }
    for name, dataset in datasets.items():
        if dataset.terms not in FREE:
            raise OptionError(
                f"--data {name}: its images may not be given away ({dataset.terms or 'unknown terms'}); "
                f"expected {' or '.join(FREE)}; state terms that you know by --terms '{name}=...'"
            )
    Path(arguments.out).mkdir(parents=True, exist_ok=True)
    predictor = open_predictor(arguments.model, arguments.threads)
    thresholding = Threshold.of(predictor).thresholding
    with predictor.resources:
        for name, dataset in datasets.items():
            failure = worst_of(dataset, predictor, thresholding)
            path = Path(arguments.out) / f"worst-{Path(arguments.model).stem}-{name}.jpg"
            with written_atomically(path) as temporary:
                cv2.imwrite(str(temporary), picture(failure)[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 85))
            count = len(dataset.samples)
            print(f"{path}: {failure.image.name}, Dice {failure.dice:.3f}, the lowest of {count}", flush=True)
    return DONE


def main(words: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command("failures.py", lambda: draw(build_parser().parse_args(words)))


if __name__ == "__main__":
    sys.exit(main())
