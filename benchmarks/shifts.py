"""What models lose on images of other cameras, imitated: DRIVE's test images under synthetic shifts.

    python benchmarks/shifts.py retina-gan
    python benchmarks/shifts.py retina-gan runs/reproduction/retina-gan-none/model.pt --json shifts.json

The dataset is the folder that RETINAGAN_DRIVE names, or --data. A model is a bundled name, an ONNX file or a
checkpoint. All pixels inside the FOV are pooled, at the shifted image's own size. "threshold lost" is the
Dice that the model's own threshold gives away against the best threshold under that shift; "calibration" the
mean difference between the probability and the share of vessels at that probability.
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
from tqdm import tqdm

from retinagan.runtime.errors import ImageError, RetinaGanError
from retinagan.train.dataset_files import Sample, find_samples
from retinagan.train.datasets import load_labelled
from retinagan.train.metrics import LEVELS, Histogram
from retinagan.train.prediction import Predictor, open_predictor
from retinagan.train.shifts import SHIFTS

BINS = 20


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


def measure(name: str, predictor: Predictor, samples: list[Sample], shifts: Iterable[str]) -> list[Line]:
    """Score one model under each shift; images are read once for all."""
    shifts = list(shifts)
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
    return [_line(name, shift, predictor, histograms[shift], failed[shift]) for shift in shifts]


def _line(name: str, shift: str, predictor: Predictor, histograms: list[Histogram], failed: int) -> Line:
    pooled = Histogram.pooled(histograms)
    threshold = 0.5 if predictor.threshold is None else predictor.threshold
    best = pooled.best_threshold()
    scores = pooled.scores(threshold)
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
            lost = [f"{plain.auc - line.auc:.4f}", f"{plain.dice - line.dice:.4f}"]
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


def main() -> None:
    parser = argparse.ArgumentParser(description="Score models under synthetic shifts.")
    parser.add_argument("models", nargs="+", metavar="MODEL", help="bundled name, ONNX file or checkpoint")
    parser.add_argument("--data", help="dataset folder (default: the folder RETINAGAN_DRIVE)")
    parser.add_argument("--shifts", nargs="+", choices=SHIFTS, default=list(SHIFTS), metavar="SHIFT")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parser.parse_args()
    data = options.data or os.environ.get("RETINAGAN_DRIVE")
    if data is None:
        parser.error("name a dataset by --data, or DRIVE's by the environment variable RETINAGAN_DRIVE")
    everything = []
    try:
        samples = find_samples(data, "test")
        for model in options.models:
            predictor = open_predictor(model, options.threads)
            with predictor.resources:
                lines = measure(model, predictor, samples, options.shifts)
            everything += lines
            print(f"{predictor.description}; {len(samples)} images; threshold {predictor.threshold}\n")
            print(table(lines), end="\n\n", flush=True)
    except RetinaGanError as error:
        sys.exit(str(error))
    if options.json:
        lines_as_plain = [dataclasses.asdict(line) for line in everything]
        options.json.write_text(json.dumps(lines_as_plain, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
