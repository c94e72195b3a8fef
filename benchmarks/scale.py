"""At which scale a model works best, and what a wrong guess of the camera's angle costs.

    python benchmarks/scale.py retina-gan --data DRIVE CHASE_DB1 HRF
    python benchmarks/scale.py model.onnx --data HRF FIVES --json scale.json --images 10

A model is a bundled name or an ONNX file. Its test images are segmented at several densities of the working
square, whatever density or size its spec has, and scored at native size inside the FOV, all pixels pooled.
The first table has the FOV AUC and the best Dice (at the threshold that is best there) by working size. The
second has both as the model itself scales, with the camera's angle known and with wrong ones: a model of one
working size does not use the angle, unless --density has it scale by pixels per degree. With --densities, a
third table has the FOV AUC and the Dice at the model's own thresholds at other densities than its own, as by
``--pixels-per-degree`` of the commands.

With --json, each figure is kept in the file as it comes, and the same command goes on where it was stopped.
The images take one process; OpenVINO or ONNX Runtime uses --threads.
"""

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from retinagan.runtime.atomic import written_atomically
from retinagan.runtime.engines import EngineAdapter, open_adapter
from retinagan.runtime.errors import RetinaGanError
from retinagan.runtime.model.bundled import find_model
from retinagan.runtime.model.parameters import Preprocessing, Tiling
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.steps.prepare import prepare
from retinagan.runtime.steps.segment import Network, segment_square
from retinagan.runtime.steps.threshold import Thresholding
from retinagan.train.data.files import Sample, find_dataset
from retinagan.train.data.images import LabelledImage, load_labelled
from retinagan.train.scores.counts import MapCounts
from retinagan.train.scores.metrics import Histogram

SIZES = (408, 512, 608, 816, 1024, 1216)
"""Working sizes in pixels of the first table."""

WRONG = (0.67, 0.8, 1.0, 1.25, 1.5)
"""Angles of the second table, as shares of the true one."""


@dataclass(frozen=True)
class Case:
    """One column of a table: how images are prepared, and which angle the model is told."""

    key: str
    preprocessing: Preprocessing
    angle: Callable[[LabelledImage], float | None]


@dataclass(frozen=True)
class Figure:
    """What a case came to on one dataset.

    Attributes
    ----------
    auc, dice : float
        FOV AUC, and the Dice at the best threshold.
    own_dice : float
        The Dice at the model's own thresholds.
    size : float
        The mean working size, in pixels.
    density : float
        Pixels per degree, by the dataset's angle; NaN where that is not known.
    images : int
    """

    auc: float
    dice: float
    own_dice: float
    size: float
    density: float
    images: int


class Scale:
    """Scores one model at any scale.

    Parameters
    ----------
    adapter : EngineAdapter
        The model.
    """

    def __init__(self, adapter: EngineAdapter) -> None:
        self._adapter = adapter

    def figure(self, case: Case, samples: list[Sample]) -> Figure:
        """Score the samples, one image at a time."""
        counts, sizes, densities = [], [], []
        thresholding = Thresholding.of_spec(self._adapter.spec)
        for sample in tqdm(samples, desc=case.key, unit="image", disable=not sys.stderr.isatty()):
            image = load_labelled(sample)
            probability, size, degrees = self._segmented(image, case)
            histogram = Histogram.of(probability, image.truth, image.fov)
            counts.append(MapCounts.at(thresholding.of_map(probability), histogram))
            sizes.append(size)
            densities.append(degrees)
        everything = MapCounts.pooled(counts)
        own, pooled = everything.scores(), everything.histogram
        best = pooled.scores(pooled.best_threshold()).dice
        return Figure(own.auc, best, own.dice, float(np.mean(sizes)), float(np.mean(densities)), len(samples))

    def _segmented(self, image: LabelledImage, case: Case) -> tuple[NDArray[np.float32], int, float]:
        """Give the probability, the working size and the square's true pixels per degree."""
        spec = self._adapter.spec
        frame = prepare(image.image, case.preprocessing, field_of_view=case.angle(image))
        size = len(frame.roi)
        # a model of fixed patches keeps them; one that takes whole squares takes these whole
        whole = spec.tiling.patch is None or spec.tiling.patch == spec.preprocessing.usual_size
        tiling = Tiling(None) if whole else spec.tiling
        result = segment_square(frame, tiling, Network(self._adapter.infer, spec.network_input))
        diameter = 2 * frame.retina.disc.radius * size / frame.crop.side
        true_angle = float("nan") if image.field_of_view is None else image.field_of_view
        return result.probability, size, diameter / true_angle


def cases(spec: ModelSpec, sizes: list[int], wrong: list[float], densities: list[float]) -> Iterator[Case]:
    """Give the columns of all tables; of the second one at most where the model has one working size."""
    own, divisor = spec.preprocessing, spec.network_input.divisor
    for size in sizes:
        fixed = dataclasses.replace(own, pixels_per_degree=None, working_size=round(size / divisor) * divisor)
        yield Case(f"size {size}", fixed, lambda image: None)
    yield Case("own scale", own, lambda image: image.field_of_view)
    if own.pixels_per_degree is not None:
        for share in wrong:
            yield Case(f"angle x {share:g}", own, lambda image, share=share: _times(image, share))
        yield Case("angle assumed", own, lambda image: None)
        for density in densities:
            at = dataclasses.replace(own, pixels_per_degree=density)
            yield Case(f"density {density:g}", at, lambda image: image.field_of_view)


def _times(image: LabelledImage, share: float) -> float | None:
    return None if image.field_of_view is None else min(max(image.field_of_view * share, 10.0), 220.0)


class Kept:
    """Figures in a JSON file, so that a run that was stopped goes on; without a file they are not kept."""

    def __init__(self, path: Path | None, facts: dict[str, object]) -> None:
        self._path = path
        self._facts = json.loads(json.dumps(facts))
        self.figures: dict[str, dict[str, float]] = {}
        if path is not None and path.is_file():
            stored = json.loads(path.read_text(encoding="utf-8"))
            if stored.get("facts") != self._facts:
                sys.exit(f"{path} is of another model or other images; name another file, or remove it")
            self.figures = stored["figures"]

    def add(self, key: str, figure: Figure) -> None:
        """Keep a figure."""
        self.figures[key] = dataclasses.asdict(figure)
        if self._path is not None:
            text = json.dumps({"facts": self._facts, "figures": self.figures}, indent=1) + "\n"
            with written_atomically(self._path) as temporary:
                temporary.write_text(text, encoding="utf-8")


def table(
    figures: dict[str, dict[str, float]], names: list[str], keys: list[str], shown: str = "dice"
) -> str:
    """Give the figures of the named columns as Markdown: AUC; Dice, the best of a row in bold."""
    lines = [f"| dataset | {' | '.join(keys)} |", f"| --- |{' --- |' * len(keys)}"]
    for name in names:
        row = {key: figures[f"{name}, {key}"] for key in keys if f"{name}, {key}" in figures}
        best = max((figure["auc"] for figure in row.values()), default=0.0)
        cells = []
        for key in keys:
            if key not in row:
                cells.append("")
                continue
            figure = row[key]
            cell = f"{figure['auc']:.4f}; {figure[shown]:.3f}"
            cell = f"**{cell}**" if figure["auc"] == best else cell
            density = "" if np.isnan(figure["density"]) else f", {figure['density']:.1f}/degree"
            cells.append(f"{cell} ({figure['size']:.0f}{density})")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL", help="bundled name or ONNX file")
    parser.add_argument("--data", nargs="+", required=True, metavar="DIR", help="dataset folders")
    parser.add_argument("--sizes", nargs="*", type=int, default=list(SIZES), metavar="PIXELS")
    parser.add_argument("--wrong", nargs="*", type=float, default=list(WRONG), metavar="SHARE")
    parser.add_argument("--density", type=float, metavar="D", help="pixels per degree instead of the model's")
    parser.add_argument(
        "--densities", nargs="*", type=float, default=[], metavar="D", help="columns of the third table"
    )
    parser.add_argument("--images", type=int, metavar="N", help="test images of each, evenly spread")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures there")
    options = parser.parse_args()
    if options.images is not None and options.images < 1:
        parser.error(f"--images {options.images}: expected 1 or more")
    try:
        measure(options)
    except (RetinaGanError, ValueError, OSError) as error:
        sys.exit(str(error))


def measure(options: argparse.Namespace) -> None:
    """Measure what is not kept yet, and print the tables."""
    path = find_model(options.model)
    spec = ModelSpec.load(spec_path(path))
    datasets = {Path(data).resolve().name: _samples(data, options.images) for data in options.data}
    facts = {
        "model": spec.name,
        "sha256": spec.sha256,
        "density": options.density,
        "images": {name: [sample.name for sample in samples] for name, samples in datasets.items()},
    }
    kept = Kept(options.json, facts)
    columns = list(cases(_scaled(spec, options.density), options.sizes, options.wrong, options.densities))
    with open_adapter(path, spec, "cpu", options.threads) as adapter:
        scale = Scale(adapter)
        for name, samples in datasets.items():
            for case in columns:
                if f"{name}, {case.key}" not in kept.figures:
                    kept.add(f"{name}, {case.key}", scale.figure(case, samples))
        told = adapter.description
    print(f"{spec.name}, {told}; FOV AUC; best Dice (working size in pixels, pixels per degree)\n")
    names, keys = list(datasets), [case.key for case in columns]
    print(table(kept.figures, names, [key for key in keys if key.startswith("size")]))
    print("\nAs the model itself scales:\n")
    print(table(kept.figures, names, [key for key in keys if not key.startswith(("size", "density"))]))
    if options.densities:
        print("\nAt other densities, FOV AUC; Dice at the model's own thresholds:\n")
        print(table(kept.figures, names, [key for key in keys if key.startswith("density")], "own_dice"))


def _scaled(spec: ModelSpec, density: float | None) -> ModelSpec:
    """Give the spec with a working scale of so many pixels per degree instead of its own."""
    if density is None:
        return spec
    preprocessing = dataclasses.replace(spec.preprocessing, working_size=None, pixels_per_degree=density)
    return dataclasses.replace(spec, preprocessing=preprocessing, tiling=Tiling(None))


def _samples(data: str, most: int | None) -> list[Sample]:
    samples = find_dataset(data, "test").samples
    if most is None or most >= len(samples):
        return samples
    return [samples[round(place)] for place in np.linspace(0, len(samples) - 1, most)]


if __name__ == "__main__":
    main()
