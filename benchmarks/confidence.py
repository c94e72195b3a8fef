"""Whether a model's confidence follows the true Dice: under synthetic shifts and on several datasets.

    python benchmarks/confidence.py retina-gan
    python benchmarks/confidence.py runtime/models/retina-gan.onnx --write

The datasets are the folders that RETINAGAN_DRIVE, RETINAGAN_CHASE_DB1 and RETINAGAN_HRF name, or --data;
images that a model says it was trained on are left out. The first dataset's test images are shifted as well.
The calibration is fitted to all of these; the confidences in the tables come from fits to the other images
(five folds, an image and its shifts in the same fold). --write stores the calibration in the spec beside the
model file, whose hash stays as it is.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from synthetic_shifts import SHIFTS
from tqdm import tqdm

from retinagan.runtime.errors import ImageError, RetinaGanError
from retinagan.runtime.model.bundled import find_model
from retinagan.runtime.model.parameters import Confidence
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.retina.find import find_retina
from retinagan.runtime.steps.confidence import (
    SHAPE_TERMS,
    Evidence,
    confidence_of,
    expected_dice,
    shape_of,
)
from retinagan.runtime.steps.levels import level_counts
from retinagan.train.data.files import find_samples
from retinagan.train.data.images import LabelledImage, load_labelled
from retinagan.train.scores.dataset import Threshold
from retinagan.train.scores.prediction import Predictor, open_predictor

DATASETS = ("RETINAGAN_DRIVE", "RETINAGAN_CHASE_DB1", "RETINAGAN_HRF")
PLAIN = "none"
FOLDS = 5
MARGIN = 0.11
"""The bound lies this far below the lowest confidence of an image without a shift."""
SLOPES = (0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0)
OFFSETS = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0)


@dataclass(frozen=True)
class Measured:
    """One map: where it comes from, its true Dice, the model's threshold, and what is measured of it."""

    dataset: str
    image: str
    shift: str
    dice: float
    threshold: float
    evidence: Evidence

    def confidence(self, calibration: Confidence) -> float:
        """Return the map's confidence by a calibration."""
        return confidence_of(self.evidence, self.threshold, calibration)


def measure(predictor: Predictor, folders: list[str], every: int = 1) -> list[Measured]:
    """Score a model's maps of all images, and of the first folder's test images under shifts."""
    thresholding = Threshold.of(predictor).thresholding
    everything = (
        (Path(folder).name, labelled, shift)
        for number, folder in enumerate(folders)
        for labelled, shift in _images(predictor, folder, every if number == 0 else 0)
    )
    found = []
    for dataset, labelled, shift in tqdm(everything, unit=" maps", disable=not sys.stderr.isatty()):
        changed = SHIFTS[shift].apply(labelled)
        try:
            probability = predictor.predict(changed)
            threshold = thresholding.of_map(probability)
            evidence = _evidence(predictor, changed, probability, threshold)
        except ImageError as error:
            print(f"{dataset} {labelled.name}, {shift}: left out ({error})", file=sys.stderr)
            continue
        vessels, truth = (probability >= threshold)[changed.fov], changed.truth[changed.fov]
        dice = 2 * float((vessels & truth).sum()) / max(float(vessels.sum() + truth.sum()), 1.0)
        found.append(Measured(dataset, labelled.name, shift, dice, thresholding.fixed, evidence))
    return found


def _evidence(
    predictor: Predictor, image: LabelledImage, probability: NDArray[np.float32], threshold: float
) -> Evidence:
    retina = find_retina(image.image)
    angle = image.field_of_view or predictor.assumed_angle if predictor.takes_angle else None
    shape = shape_of(probability, retina.mask, threshold, retina.disc, angle)
    return Evidence(level_counts(probability, retina.mask), shape)


def _images(predictor: Predictor, folder: str, every: int) -> Iterator[tuple[LabelledImage, str]]:
    """Give a folder's images that the model was not trained on, each with the shifts to apply.

    `every` is 0 for no shift at all; of all shifts, each image has those of which the number and its own add
    up to a multiple.
    """
    for index, sample in enumerate(find_samples(folder, "test" if every else "all")):
        if predictor.trained_on(Path(folder).name, sample.name):
            continue
        labelled = load_labelled(sample)
        yield labelled, PLAIN
        for number, shift in enumerate(SHIFTS):
            if every and shift != PLAIN and (index + number) % every == 0:
                yield labelled, shift


def fit(maps: list[Measured], *, shape: bool = True) -> Confidence:
    """Find the calibration by which the confidence is nearest to the true Dice, in least squares.

    Without `shape`, by the probabilities of single pixels alone.
    """
    dice = np.array([one.dice for one in maps])
    names = SHAPE_TERMS if shape else ()
    measures = [[getattr(one.evidence.shape, name) for one in maps] for name in names]
    best, least = Confidence(), np.inf
    for slope in SLOPES:
        for offset in OFFSETS:
            plain = Confidence(slope=slope, offset=offset)
            expected = [expected_dice(one.evidence.counts, one.threshold, plain) for one in maps]
            terms = np.column_stack([expected, np.ones(len(maps)), *measures])
            found = np.linalg.lstsq(terms, dice)[0]
            error = float(np.square(terms @ found - dice).sum())
            if found[0] >= 0 and error < least:
                factors = zip(("gain", "bias", *names), (float(one) for one in found), strict=True)
                best = replace(plain, **dict(factors))
                least = error
    return best


def held_out(maps: list[Measured], *, shape: bool = True) -> NDArray[np.float64]:
    """Give each map's confidence by a calibration that was fitted without its image."""
    images = list(dict.fromkeys((one.dataset, one.image) for one in maps))
    fold = np.array([images.index((one.dataset, one.image)) % FOLDS for one in maps])
    confidence = np.zeros(len(maps))
    for number in range(FOLDS):
        others = [one for one, its in zip(maps, fold, strict=True) if its != number]
        calibration = fit(others, shape=shape)
        for index in np.flatnonzero(fold == number):
            confidence[index] = maps[index].confidence(calibration)
    return confidence


def bound_of(maps: list[Measured], calibration: Confidence) -> Confidence:
    """Give the calibration with its bound: below the confidence of every image without a shift."""
    plain = [one.confidence(calibration) for one in maps if one.shift == PLAIN]
    return replace(calibration, bound=round(max(min(plain) - MARGIN, 0.0), 3))


def ranks(maps: list[Measured], confidence: NDArray[np.float64]) -> str:
    """Give Spearman's rank correlation of confidence and Dice, as Markdown: of maps and of conditions."""
    dice = np.array([one.dice for one in maps])
    first = maps[0].dataset
    chosen = {
        "all": np.ones(len(maps), bool),
        f"{first} and its shifts": np.array([one.dataset == first for one in maps]),
        "datasets, unshifted": np.array([one.shift == PLAIN for one in maps]),
    }
    rows = ["| maps | number | Spearman | of the conditions' means |", "| --- | ---: | ---: | ---: |"]
    conditions = np.array([f"{one.dataset} {one.shift}" for one in maps])
    for name, which in chosen.items():
        names = list(dict.fromkeys(conditions[which]))
        groups = [which & (conditions == one) for one in names]
        means = [[float(values[group].mean()) for group in groups] for values in (confidence, dice)]
        by_condition = f"{_spearman(*means):.2f}" if len(names) > 3 else ""
        by_map = f"{_spearman(confidence[which], dice[which]):.2f}"
        rows.append(f"| {name} | {which.sum()} | {by_map} | {by_condition} |")
    return "\n".join(rows)


def _spearman(first: NDArray[np.float64] | list[float], second: NDArray[np.float64] | list[float]) -> float:
    ranked = [np.argsort(np.argsort(values, kind="stable"), kind="stable") for values in (first, second)]
    return float(np.corrcoef(np.array(ranked, float))[0, 1])


def curve(maps: list[Measured], confidence: NDArray[np.float64], bins: int = 8) -> str:
    """Give the calibration curve as Markdown: maps in groups of equal number by their confidence."""
    dice = np.array([one.dice for one in maps])
    rows = ["| confidence | maps | mean confidence | mean Dice | 10 % below | 10 % above |"]
    rows.append("| --- | ---: | ---: | ---: | ---: | ---: |")
    for group in np.array_split(np.argsort(confidence, kind="stable"), min(bins, len(maps))):
        low, high = np.percentile(dice[group], [10, 90])
        ends = f"{confidence[group].min():.3f} to {confidence[group].max():.3f}"
        means = f"{confidence[group].mean():.3f} | {dice[group].mean():.3f}"
        rows.append(f"| {ends} | {len(group)} | {means} | {low:.3f} | {high:.3f} |")
    return "\n".join(rows)


def alarms(maps: list[Measured], calibration: Confidence) -> str:
    """Give how often `low-confidence` is said, by true Dice and on images without a shift, as Markdown."""
    said = np.array([one.confidence(calibration) < calibration.bound for one in maps])
    dice, plain = np.array([one.dice for one in maps]), np.array([one.shift == PLAIN for one in maps])
    rows = ["| maps | number | low-confidence |", "| --- | ---: | ---: |"]
    for name, which in {
        "without a shift": plain,
        "shifted, Dice 0.75 or more": ~plain & (dice >= 0.75),
        "shifted, Dice 0.60 to 0.75": ~plain & (dice < 0.75) & (dice >= 0.6),
        "shifted, Dice under 0.60": ~plain & (dice < 0.6),
    }.items():
        rows.append(f"| {name} | {which.sum()} | {(said & which).sum()} |")
    return "\n".join(rows)


def main() -> None:
    """Measure the models that the command line names."""
    parser = argparse.ArgumentParser(description="Compare models' confidence with the true Dice.")
    parser.add_argument("models", nargs="+", metavar="MODEL", help="bundled name, ONNX file or checkpoint")
    parser.add_argument("--data", nargs="+", metavar="FOLDER", help="dataset folders; the first is shifted")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="only one shift in N of an image (default: 1, all)"
    )
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--write", action="store_true", help="store the calibration in each model's spec")
    options = parser.parse_args()
    data = options.data or [os.environ[name] for name in DATASETS if name in os.environ]
    if not data:
        parser.error(f"name datasets by --data, or by the environment variables {', '.join(DATASETS)}")
    try:
        for model in options.models:
            predictor = open_predictor(model, options.threads)
            with predictor.resources:
                maps = measure(predictor, data, options.every)
            calibration = bound_of(maps, fit(maps))
            confidence = held_out(maps)
            print(f"{predictor.description}; {len(maps)} maps; {calibration}\n")
            print(ranks(maps, confidence), curve(maps, confidence), sep="\n\n", end="\n\n")
            print(alarms(maps, calibration), end="\n\n", flush=True)
            without = held_out(maps, shape=False)
            print("without the shape of the vessels:", ranks(maps, without), sep="\n\n", flush=True)
            if options.write:
                path = spec_path(find_model(model))
                replace(ModelSpec.load(path), confidence=calibration).save(path)
    except (RetinaGanError, ValueError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
