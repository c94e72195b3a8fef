"""Measure how long the measures of a map take, on one core.

    python benchmarks/measuring.py
    python benchmarks/measuring.py --sizes 600 1000 3000

The maps are those of drawn eyes (examples/synthetic_fundus.py). Times are CPU times of the process, the
median and the least over the rounds, each the median over the eyes. On an idle core they equal wall time. A
busy computer slows the median; the least still shows the cost.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from retinagan.runtime.measures.measure import measure
from retinagan.runtime.retina.disc import Disc
from retinagan.runtime.steps.segment import Segmentation

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))


def drawn_map(size: int, seed: int) -> Segmentation:
    """Return the map of a drawn eye in a square picture of `size` pixels."""
    from synthetic_camera import Camera
    from synthetic_fundus import FundusOptions, render

    middle, radius = (size - 1) / 2, 0.48 * size
    drawn = render(FundusOptions(seed, Camera(size, size, middle, middle, radius)))
    vessels = drawn.vessels.astype(np.float32)
    return Segmentation(vessels, drawn.vessels, drawn.roi, {}, disc=Disc(middle, middle, radius))


def milliseconds(segmentation: Segmentation, rounds: int) -> tuple[float, float]:
    """Return the median and the least CPU time of measuring a map."""
    times = []
    for _ in range(rounds + 1):
        start = time.process_time()
        measure(segmentation, every_measure=True)
        times.append(1000 * (time.process_time() - start))
    times = times[1:]  # the first imports scikit-image
    return statistics.median(times), min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how long the measures of a map take, on one core.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[600, 1000, 2000, 3000], metavar="PIXELS")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3, help="drawn eyes of each size")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    print("pixels  CPU time: median  least")
    for size in options.sizes:
        found = [milliseconds(drawn_map(size, seed), options.rounds) for seed in range(1, options.seeds + 1)]
        median, least = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"{size:6d}  {median:13.0f} ms  {least:.0f} ms")


if __name__ == "__main__":
    main()
