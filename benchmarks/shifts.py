"""Measure what models lose on images of other cameras, imitated by synthetic shifts of DRIVE's test images.

    python benchmarks/shifts.py retina-gan-drive
    python benchmarks/shifts.py retina-gan runs/reproduction/retina-gan-none/model.pt --json shifts.json

The dataset is the folder that RETINAGAN_DRIVE names, or --data. A model is a bundled name, an ONNX file or a
checkpoint. All pixels inside the FOV are pooled, at the shifted image's own size. "threshold lost" is the
Dice lost by the model's own thresholds compared with the best threshold under that shift; "calibration" is
the mean difference between a probability and the share of vessels at that probability. With several models,
the last table compares the first model's mean over the shifts with each other model's, with intervals over
images.
"""

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from synthetic_shifts import SHIFTS
from tqdm import tqdm

from retinagan.runtime.errors import ImageError, RetinaGanError
from retinagan.runtime.steps.threshold import Thresholding
from retinagan.train.data.files import Sample, find_samples
from retinagan.train.data.images import load_labelled
from retinagan.train.scores.bootstrap import LEVEL, RESAMPLES, ends, resample
from retinagan.train.scores.comparison import Gain
from retinagan.train.scores.counts import MapCounts
from retinagan.train.scores.dataset import Threshold
from retinagan.train.scores.metrics import LEVELS, Histogram
from retinagan.train.scores.prediction import Predictor, open_predictor

BINS = 20


Draws = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """One model's figures under all shifts, and its scores on resamples of the images.

    Attributes
    ----------
    lines : list of Line
    draws : mapping of str to mapping of str to (resamples,) float64
        By shift and by score; the same resamples for all models.
    single : bool
        Whether there is one image alone, whose resamples say nothing.
    """

    lines: list["Line"]
    draws: dict[str, dict[str, Draws]]
    single: bool


@dataclass(frozen=True)
class Line:
    """One model's figures under one shift; `failed` counts images that it refused."""

    model: str
    shift: str
    auc: float
    dice: float
    best_dice: float
    best_threshold: float
    calibration: float
    failed: int


def calibration_error(histogram: Histogram) -> float:
    """Give the expected calibration error in 20 bins of equal width (Naeini et al., 2015)."""
    edges = np.linspace(0, LEVELS + 1, BINS + 1).astype(int)[:-1]
    total = histogram.vessels + histogram.background
    vessels, pixels = np.add.reduceat(histogram.vessels, edges), np.add.reduceat(total, edges)
    probability = np.add.reduceat(total * (np.arange(LEVELS + 1) / LEVELS), edges)
    return float(np.abs(probability - vessels).sum() / pixels.sum())


def measure(
    name: str, predictor: Predictor, samples: list[Sample], shifts: Iterable[str], *, fixed: bool = False
) -> Measured:
    """Score one model under each shift, at each map's own threshold or, if `fixed`, at the model's one.

    Images are read once for all.
    """
    shifts = list(dict.fromkeys(shifts))
    histograms: dict[str, list[Histogram]] = {shift: [] for shift in shifts}
    failed = dict.fromkeys(shifts, 0)
    for sample in tqdm(samples, unit="image", disable=not sys.stderr.isatty()):
        labelled = load_labelled(sample)
        for shift in shifts:
            shifted = SHIFTS[shift].apply(labelled)
            try:
                probability = predictor.predict(shifted)
            except ImageError:
                failed[shift] += 1
                probability = np.zeros(shifted.truth.shape, np.float32)
            histograms[shift].append(Histogram.of(probability, shifted.truth, shifted.fov))
    thresholding = Threshold.of(predictor).thresholding
    if fixed:
        thresholding = Thresholding(thresholding.fixed)
    counts = {shift: [counts_of(one, thresholding) for one in histograms[shift]] for shift in shifts}
    return Measured(
        [_line(name, shift, counts[shift], failed[shift]) for shift in shifts],
        {shift: resample(counts[shift]) for shift in shifts},
        len(samples) == 1,
    )


def counts_of(histogram: Histogram, thresholding: Thresholding) -> MapCounts:
    """Count a map at the model's threshold for it."""
    threshold = thresholding.of(histogram.level_counts().sum(axis=0))
    return MapCounts.at(threshold, histogram)


def _line(name: str, shift: str, counts: list[MapCounts], failed: int) -> Line:
    everything = MapCounts.pooled(counts)
    pooled, scores = everything.histogram, everything.scores()
    best = pooled.best_threshold()
    return Line(
        name,
        shift,
        scores.auc,
        scores.dice,
        pooled.scores(best).dice,
        best,
        calibration_error(pooled),
        failed,
    )


def table(lines: list[Line]) -> str:
    """Give one model's lines as Markdown, with what each shift costs against none."""
    plain = next((line for line in lines if line.shift == "none"), None)
    rows = [
        "| shift | AUC | lost | Dice | lost | threshold lost | calibration |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for line in lines:
        lost = ["", ""]
        if plain is not None and line is not plain:
            lost = [_figure(plain.auc - line.auc), _figure(plain.dice - line.dice)]
        note = f" ({line.failed} images refused)" if line.failed else ""
        cells = [line.shift + note, f"{line.auc:.4f}", lost[0], f"{line.dice:.4f}", lost[1]]
        cells += [f"{line.best_dice - line.dice:.4f}", f"{line.calibration:.3f}"]
        rows.append(f"| {' | '.join(cells)} |")
    if plain is not None and len(lines) > 1:
        others = [line for line in lines if line is not plain]
        auc, dice = (np.mean([getattr(line, name) for line in others]) for name in ("auc", "dice"))
        given_away = np.mean([line.best_dice - line.dice for line in others])
        cells = ["mean of the shifts", f"{auc:.4f}", f"{plain.auc - auc:.4f}", f"{dice:.4f}"]
        cells += [f"{plain.dice - dice:.4f}", f"{given_away:.4f}"]
        rows.append(f"| {' | '.join(cells)} | {np.mean([line.calibration for line in others]):.3f} |")
    return "\n".join(rows)


def _figure(value: float) -> str:
    return f"{round(value, 4) + 0.0:.4f}"  # without the sign of a 0


def comparison(models: list[Measured]) -> str:
    """Give how much the first model's means of the shifts are above each other model's, as Markdown."""
    first = _means(models[0])
    rows = [
        f"{models[0].lines[0].model} above the others on the mean of the shifts; in brackets {LEVEL:.0%} of "
        f"{RESAMPLES:,} resamples of the images:",
        "",
        f"| | {' | '.join(first)} |",
        f"| --- |{' ---: |' * len(first)}",
    ]
    for other in models[1:]:
        cells = []
        for title, (value, draws) in _means(other).items():
            spread = None if models[0].single else ends(first[title][1] - draws)
            cells.append(Gain(first[title][0] - value, spread).printed())
        rows.append(f"| {other.lines[0].model} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _means(one: Measured) -> dict[str, tuple[float, Draws]]:
    """Give the mean of the shifts and what is lost there, each of all images and of the resamples."""
    plain = next((line for line in one.lines if line.shift == "none"), None)
    shifted = [line for line in one.lines if line is not plain]
    columns = {}
    for title, name in (("AUC", "auc"), ("Dice", "dice")):
        value = float(np.mean([getattr(line, name) for line in shifted]))
        draws = np.mean([one.draws[line.shift][name] for line in shifted], axis=0)
        columns[title] = value, draws
        if plain is not None:
            columns[f"{title} lost"] = getattr(plain, name) - value, one.draws["none"][name] - draws
    return columns


def main() -> None:
    parser = argparse.ArgumentParser(description="Score models under synthetic shifts.")
    parser.add_argument("models", nargs="+", metavar="MODEL", help="bundled name, ONNX file or checkpoint")
    parser.add_argument("--data", help="dataset folder (default: the folder RETINAGAN_DRIVE)")
    parser.add_argument("--shifts", nargs="+", choices=SHIFTS, default=list(SHIFTS), metavar="SHIFT")
    parser.add_argument("--fixed", action="store_true", help="one threshold for all maps of a model")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parser.parse_args()
    data = options.data or os.environ.get("RETINAGAN_DRIVE")
    if data is None:
        parser.error("name a dataset by --data, or DRIVE's by the environment variable RETINAGAN_DRIVE")
    if options.json and not options.json.absolute().parent.is_dir():
        parser.error(f"--json {options.json}: there is no folder {options.json.absolute().parent}")
    everything: list[Measured] = []
    try:
        samples = find_samples(data, "test")
        for model in options.models:
            predictor = open_predictor(model, options.threads)
            with predictor.resources:
                measured = measure(model, predictor, samples, options.shifts, fixed=options.fixed)
                everything.append(measured)
            print(f"{predictor.description}; {len(samples)} images\n")
            print(table(everything[-1].lines), end="\n\n", flush=True)
    except (RetinaGanError, ValueError, OSError) as error:
        sys.exit(str(error))
    if len(everything) > 1 and set(options.shifts) != {"none"}:
        print(comparison(everything))
    if options.json:
        lines_as_plain = [dataclasses.asdict(line) for model in everything for line in model.lines]
        options.json.write_text(json.dumps(lines_as_plain, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
