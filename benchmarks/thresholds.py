"""What a threshold costs on a camera that it was not chosen on, by the rule that chooses it.

    python benchmarks/thresholds.py retina-gan retina-gan-drive --data CHASE_DB1 HRF FIVES DRIVE
    python benchmarks/thresholds.py runs/cameras/without-*/model.pt --data CHASE_DB1 HRF FIVES DRIVE

The training images of each dataset are segmented by each model, and scored at native size inside the FOV, all
pixels of a camera pooled. The tables have the Dice lost by each rule against the best threshold for that
camera, on cameras that the model was not trained on; nothing is chosen on the camera that is scored:

- its own: the threshold of the model's spec;
- worst camera: the threshold that loses least on the worst of the other cameras;
- each map: the threshold with the largest expected Dice, by the map's probabilities as they are;
- calibrated: the same by probabilities p' = sigmoid(slope * logit(p) + offset), fitted to the other cameras:
  the rule that models ship with.

With --write, each model's rule is fitted to the cameras that it was trained on, and stored in its checkpoint
or its spec; give all of them, and every image.

"Each image" is what the best threshold for each image would gain: a bound for all rules. "Its range" are the
thresholds of the calibrated rule. Histograms are kept in --cache DIR, so that the same command goes on where
it was stopped.
"""

import argparse
import hashlib
import math
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from retinagan.runtime.errors import RetinaGanError
from retinagan.runtime.model.bundled import find_model
from retinagan.runtime.model.parameters import MapThreshold
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.steps.threshold import Thresholding
from retinagan.train.data.files import TRAINING, find_dataset, folder_name
from retinagan.train.data.given import Given, named_angle, named_text
from retinagan.train.data.images import load_labelled
from retinagan.train.nets.checkpoint import load_checkpoint
from retinagan.train.scores.calibration import fit_map_threshold
from retinagan.train.scores.dataset import Threshold
from retinagan.train.scores.metrics import LEVELS, Histogram, level_of
from retinagan.train.scores.prediction import Predictor, open_predictor

Counts = NDArray[np.int64]
"""(2, LEVELS + 1): pixels that are vessel and background in the expert's map, by probability."""

UNCALIBRATED = MapThreshold()


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
        counts = np.stack([histogram.vessels, histogram.background])
        if place is not None:
            np.save(place, counts)
        maps.append(counts)
    known = any(predictor.trained_on(name, sample.name) for sample in samples)
    return Camera(name, known, maps)


def dice_at(counts: Counts) -> NDArray[np.float64]:
    """Return the Dice at each threshold, (LEVELS + 1,)."""
    positives, negatives = counts[:, ::-1].cumsum(axis=1)[:, ::-1]
    return np.asarray(2 * positives / np.maximum(positives + negatives + counts[0].sum(), 1), np.float64)


def levels_by(thresholding: Thresholding, camera: Camera) -> list[int]:
    """Return the level from which pixels of each map count as vessel."""
    return [
        level_of(thresholding.of(Histogram(*counts).level_counts().sum(axis=0))) for counts in camera.maps
    ]


def fitted(cameras: list[Camera]) -> MapThreshold:
    """Fit the rule to cameras, each with the same weight, as a training does."""
    found = fit_map_threshold(Histogram(*one.pooled) for one in cameras)
    assert found is not None
    return found


def dice_by_map(camera: Camera, levels: list[int]) -> float:
    """Return the Dice of all pixels where each map has its own threshold."""
    positives = [counts[0, level:].sum() for counts, level in zip(camera.maps, levels, strict=True)]
    marked = [counts[:, level:].sum() for counts, level in zip(camera.maps, levels, strict=True)]
    return float(2 * sum(positives) / (sum(marked) + camera.pooled[0].sum()))


def row(camera: Camera, others: list[Camera], threshold: float) -> dict[str, str | float]:
    """Return the Dice at the best threshold, and what each rule loses against it."""
    curve = dice_at(camera.pooled)
    best = float(curve.max())
    found: dict[str, str | float] = {"best Dice": best, "its threshold": float(curve.argmax() / LEVELS)}
    found["its own"] = best - float(curve[level_of(threshold)])
    lost = np.max([dice_at(one.pooled).max() - dice_at(one.pooled) for one in others], axis=0)
    found["worst camera"] = best - float(curve[int(lost.argmin())])
    for name, rule in (("each map", UNCALIBRATED), ("calibrated", fitted(others))):
        levels = levels_by(Thresholding(threshold, rule), camera)
        found[name] = best - dice_by_map(camera, levels)
    found["each image"] = best - dice_by_map(camera, [int(dice_at(one).argmax()) for one in camera.maps])
    found["its range"] = f"{min(levels) / LEVELS:.2f} to {max(levels) / LEVELS:.2f}"
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
        print(f"| {name} | " + " | ".join(map(_cell, values.values())) + " |")
    worst = {head: max(float(values[head]) for values in rows.values()) for head in heads[2:-1]}
    cells = " | ".join(f"{worst[head]:.3f}" if head in worst else "" for head in heads)
    print(f"| worst | {cells} |\n")


def store(model: str, rule: MapThreshold) -> None:
    """Store a rule in a model's checkpoint, or in the spec of its ONNX file."""
    print(f"{model}: {rule}\n")
    if Path(model).suffix == ".pt":
        replace(load_checkpoint(model), map_threshold=rule).save(model)
    else:
        path = spec_path(find_model(model))
        replace(ModelSpec.load(path), map_threshold=rule).save(path)


def _cell(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.3f}"


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
    parser.add_argument("--write", action="store_true", help="store each model's rule")
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
            threshold = Threshold.of(predictor).thresholding.fixed
            path = Path(model)  # a run's model.pt is named after the run
            name = path.resolve().parent.name if path.name == "model.pt" else path.stem
            print_table(name, cameras, min(threshold, math.nextafter(1.0, 0.0)))
            if options.write:
                taught = [one for one in cameras if one.trained_on]
                if not taught:
                    parser.error(f"--write: none of --data is what {model} was trained on")
                store(model, fitted(taught))
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
