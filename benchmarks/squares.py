"""Compare engines on whole working squares and on patches of them, at the squares of several cameras.

    python benchmarks/squares.py retina-gan
    python benchmarks/squares.py model.onnx --angles 30 45 60 --patches 256 512 --rounds 5

A camera's square follows from its angle and the model's pixels per degree. The patches overlap by 32
pixels. Those without a pixel of the retina are left out, as for engines with a fixed size of patch. Both
ways take turns. The table has the CPU time of the whole square, and for each side of patches their CPU time
relative to it in the same round, medians over the rounds: above 1, whole squares are faster. CPU time of
one thread is what an idle core would take; on a busy computer the ratios still hold.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from pipeline import cpu_name

from retinagan.runtime.engines import EngineAdapter, open_adapter
from retinagan.runtime.errors import EngineError
from retinagan.runtime.model.bundled import find_model
from retinagan.runtime.model.parameters import Tiling
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.retina.disc import Disc
from retinagan.runtime.steps.patches import PatchGrid
from retinagan.runtime.steps.scale import working_square

ENGINES = ("onnxruntime", "openvino")
OVERLAP = 32
"""Pixels by which patches overlap, as those of TensorRT engines do."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare whole squares with patches, by engine and camera.")
    parser.add_argument("model", help="a bundled name or an ONNX file of a model with pixels per degree")
    parser.add_argument("--angles", type=float, nargs="+", default=[30, 45, 60], metavar="DEGREES")
    parser.add_argument("--patches", type=int, nargs="+", default=[256, 512], metavar="PIXELS")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    path = find_model(options.model)
    spec = ModelSpec.load(spec_path(path))
    sizes = [square_of(spec, angle) for angle in options.angles]
    print(f"{spec.name}, {cpu_name()}, CPU time of one thread, medians of {options.rounds} rounds\n")
    heads = ["engine", "square", "whole, ms", *(f"patches of {side} / whole" for side in options.patches)]
    print(f"| {' | '.join(heads)} |\n| --- | {' | '.join(['---:'] * (len(heads) - 1))} |")
    for engine in ENGINES:
        try:
            opened = adapters(path, spec, engine, options.patches)
        except EngineError as error:
            print(f"\nnot timed: {engine}: {error}")
            continue
        for size in sizes:
            whole, *ratios = compared([call(adapter, size) for adapter in opened], options.rounds)
            cells = [opened[0].description, f"{size}", f"{1000 * whole:.0f}"]
            print(f"| {' | '.join(cells + [f'{ratio:.2f}' for ratio in ratios])} |", flush=True)


def square_of(spec: ModelSpec, angle: float) -> int:
    """Return the side of the square of a camera whose pixels do not limit it."""
    if spec.preprocessing.pixels_per_degree is None:
        raise SystemExit(
            f"{spec.name} has one working size, whatever the camera; give a model with a density"
        )
    large = Disc(5000.0, 5000.0, 5000.0)
    return working_square(spec.preprocessing, large, angle).size


def adapters(path: Path, spec: ModelSpec, engine: str, sides: list[int]) -> list[EngineAdapter]:
    """Open a model for whole squares, and then for patches of each side, on one thread."""
    tilings = [Tiling(None), *(Tiling(side, OVERLAP / side) for side in sides)]
    return [open_adapter(path, replace(spec, tiling=one), engine=engine, threads=1) for one in tilings]


def call(adapter: EngineAdapter, size: int) -> Callable[[], object]:
    """Give a function that runs an adapter on a square, cut as its spec says."""
    grid = PatchGrid.of(size, adapter.spec.tiling)
    middle = (size - 1) / 2
    roi = Disc(middle, middle, size / 2).drawn((size, size))
    some = grid.with_roi(roi)
    shape = (len(some), 1, grid.side, grid.side)
    masks = grid.split(roi, some).astype(np.float32).reshape(shape)
    image = np.random.default_rng(0).normal(size=(len(some), 3, *shape[2:])).astype(np.float32)
    return partial(adapter.infer, image, masks, np.empty(shape, np.float32))


def compared(calls: list[Callable[[], object]], rounds: int) -> tuple[float, ...]:
    """Return the first call's median CPU seconds, and the medians of the others' relative to it."""
    times = []
    for number in range(rounds + 1):
        row = []
        for one in calls:
            start = time.process_time()
            one()
            row.append(time.process_time() - start)
        if number:  # the first warms up, and compiles
            times.append(row)
    ratios = zip(*([other / row[0] for other in row[1:]] for row in times), strict=True)
    return (statistics.median(row[0] for row in times), *map(statistics.median, ratios))


if __name__ == "__main__":
    main()
