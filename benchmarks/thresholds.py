"""What a threshold costs on a camera that it was not chosen on, by the rule that chooses it.

    python benchmarks/thresholds.py retina-gan retina-gan-drive --data CHASE_DB1 HRF FIVES DRIVE
    python benchmarks/thresholds.py runs/cameras/without-*/model.pt --data CHASE_DB1 HRF FIVES DRIVE

The training images of each dataset are segmented by each model, and scored at native size inside the FOV, all
pixels of a camera pooled. The tables have the Dice lost by each rule against the best threshold for that
camera, on cameras that the model was not trained on; nothing is chosen on the camera that is scored:

- its own: the threshold of the model's spec;
- worst camera: the threshold that loses least on the worst of the other cameras;
- each map: the threshold with the largest expected Dice, by the map's probabilities as they are;
- calibrated: the same by probabilities p' = sigmoid(slope * logit(p) + offset), fitted to the other cameras.

"Each image" is what the best threshold for each image would gain: a bound for all rules. Histograms are kept
in --cache DIR, so that the same command goes on where it was stopped.
"""

import argparse
import hashlib
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from retinagan.runtime.errors import RetinaGanError
from retinagan.train.data.files import TRAINING, find_dataset, folder_name
from retinagan.train.data.given import Given, named_angle, named_text
from retinagan.train.data.images import load_labelled
from retinagan.train.scores.metrics import LEVELS, Histogram
from retinagan.train.scores.prediction import Predictor, open_predictor

BINS = 1024
"""Thresholds are compared on this many levels."""

SLOPES = np.array([0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3, 1.5, 1.8])
OFFSETS = np.arange(-2.0, 2.01, 0.25)

Counts = NDArray[np.float64]
"""(2, BINS): pixels that are vessel and background in the expert's map, by probability."""


@dataclass(frozen=True)
class Camera:
    """The maps of one dataset by one model."""

    name: str
    trained_on: bool
    maps: list[Counts]

    @property
    def pooled(self) -> Counts:
        """All pixels of the camera."""
        return np.sum(self.maps, axis=0)


def counts_of(predictor: Predictor, folder: str, given: Given, every: int, cache: Path | None) -> Camera:
    """Count the pixels of a dataset's training images by probability."""
    name = folder_name(folder)
    samples = find_dataset(folder, TRAINING, given.of([name])[name]).samples[::every]
    maps = []
    for sample in tqdm(samples, desc=name, unit="image", disable=not sys.stderr.isatty()):
        key = hashlib.sha256(f"{predictor.description} {sample.image} {sample.field_of_view}".encode())
        place = None if cache is None else cache / f"{key.hexdigest()[:24]}.npy"
        if place is not None and place.is_file():
            maps.append(np.load(place))
            continue
        image = load_labelled(sample)
        histogram = Histogram.of(predictor.predict(image), image.truth, image.fov)
        bins = np.arange(LEVELS + 1) * BINS // (LEVELS + 1)
        parts = (histogram.vessels, histogram.background)
        counts = np.stack([np.bincount(bins, part, minlength=BINS) for part in parts])
        if place is not None:
            np.save(place, counts)
        maps.append(counts)
    known = any(predictor.trained_on(name, sample.name) for sample in samples)
    return Camera(name, known, maps)


def dice_at(counts: Counts) -> Counts:
    """Return the Dice at each threshold, (BINS,)."""
    positives, negatives = counts[:, ::-1].cumsum(axis=1)[:, ::-1]
    return 2 * positives / np.maximum(positives + negatives + counts[0].sum(), 1)


def calibrated(slope: float, offset: float) -> Counts:
    """Return the calibrated probability of each bin, (BINS,)."""
    raw = (np.arange(BINS) + 0.5) / BINS
    return 1 / (1 + np.exp(-(slope * np.log(raw / (1 - raw)) + offset)))


def expected_best(counts: Counts, probability: Counts) -> int:
    """Return the bin of the threshold with the largest expected Dice of a map, without its truth."""
    pixels = counts.sum(axis=0)
    overlap = (pixels * probability)[::-1].cumsum()[::-1]
    size = pixels[::-1].cumsum()[::-1]
    return int((2 * overlap / np.maximum(size + overlap[0], 1)).argmax())


def fitted(cameras: list[Camera]) -> tuple[float, float]:
    """Fit slope and offset to cameras, each with the same weight, by the log loss."""
    shares = np.sum([one.pooled / one.pooled.sum() for one in cameras], axis=0)

    def loss(pair: tuple[float, float]) -> float:
        probability = calibrated(*pair)
        return -float(shares[0] @ np.log(probability) + shares[1] @ np.log1p(-probability))

    return min(((slope, offset) for slope in SLOPES for offset in OFFSETS), key=loss)


def dice_by_map(camera: Camera, bins: list[int]) -> float:
    """Return the Dice of all pixels where each map has its own threshold."""
    positives = [counts[0, level:].sum() for counts, level in zip(camera.maps, bins, strict=True)]
    marked = [counts[:, level:].sum() for counts, level in zip(camera.maps, bins, strict=True)]
    return float(2 * sum(positives) / (sum(marked) + camera.pooled[0].sum()))


def row(camera: Camera, others: list[Camera], threshold: float) -> dict[str, float]:
    """Return the Dice at the best threshold, and what each rule loses against it."""
    curve = dice_at(camera.pooled)
    best = float(curve.max())
    found = {"best Dice": best, "its threshold": float(curve.argmax() / BINS)}
    found["its own"] = best - float(curve[round(threshold * BINS)])
    lost = np.max([dice_at(one.pooled).max() - dice_at(one.pooled) for one in others], axis=0)
    found["worst camera"] = best - float(curve[int(lost.argmin())])
    raw = calibrated(1.0, 0.0)
    found["each map"] = best - dice_by_map(camera, [expected_best(counts, raw) for counts in camera.maps])
    probability = calibrated(*fitted(others))
    found["calibrated"] = best - dice_by_map(
        camera, [expected_best(counts, probability) for counts in camera.maps]
    )
    found["each image"] = best - dice_by_map(
        camera, [int(dice_at(counts).argmax()) for counts in camera.maps]
    )
    return found


def print_table(model: str, cameras: list[Camera], threshold: float) -> None:
    """Print the rows of the cameras that a model was not trained on."""
    rows = {
        camera.name: row(camera, [one for one in cameras if one is not camera], threshold)
        for camera in cameras
        if not camera.trained_on
    }
    if not rows:
        print(f"{model} was trained on all of these cameras: nothing is held out\n")
        return
    heads = list(next(iter(rows.values())))
    print(f"| {model}, on cameras that it never saw | " + " | ".join(heads) + " |")
    print("| --- |" + " ---: |" * len(heads))
    for name, values in rows.items():
        print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in values.values()) + " |")
    worst = {head: max(values[head] for values in rows.values()) for head in heads[2:]}
    cells = " | ".join(f"{worst[head]:.3f}" if head in worst else "" for head in heads)
    print(f"| worst | {cells} |\n")


def main(arguments: list[str] | None = None) -> int:
    """Print the tables; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "models", nargs="+", metavar="MODEL", help="a bundled name, an ONNX file or a checkpoint"
    )
    parser.add_argument(
        "--data", nargs="+", required=True, metavar="DIR", help="at least two dataset folders"
    )
    parser.add_argument("--field-of-view", action="append", default=[], type=named_angle, metavar="NAME=DEG")
    parser.add_argument("--test-images", action="append", default=[], type=named_text, metavar="NAME=NAMES")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take each Nth image")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="folder for histograms")
    options = parser.parse_args(arguments)
    if len(options.data) < 2:
        parser.error("--data: give at least two folders, as a camera's threshold is chosen on the others")
    names = [folder_name(folder) for folder in options.data]
    if options.cache is not None:
        options.cache.mkdir(parents=True, exist_ok=True)
    try:
        Given(options.field_of_view, options.test_images).of(names)
        for model in options.models:
            with (predictor := open_predictor(model, options.threads)).resources:
                cameras = [
                    counts_of(predictor, folder, _about(options, name), options.every, options.cache)
                    for folder, name in zip(options.data, names, strict=True)
                ]
            threshold = 0.5 if predictor.threshold is None else predictor.threshold
            path = Path(model)  # a run's model.pt is named after the run
            name = path.resolve().parent.name if path.name == "model.pt" else path.stem
            print_table(name, cameras, min(threshold, math.nextafter(1.0, 0.0)))
    except RetinaGanError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _about(options: argparse.Namespace, name: str) -> Given:
    """Return what is stated about one folder."""
    angles = [pair for pair in options.field_of_view if pair[0] == name]
    return Given(angles, [pair for pair in options.test_images if pair[0] == name])


if __name__ == "__main__":
    sys.exit(main())
