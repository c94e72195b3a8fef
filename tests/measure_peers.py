"""Measure vessel maps by other packages: skan and PVBM. Runs in an environment that has them.

    python tests/measure_peers.py MAPS.npz FRACTALS.npz

MAPS.npz has bool maps of vessels, FRACTALS.npz those of which the dimension is wanted alone. Prints a JSON
object with the measures of each, by its name.
"""

import json
import sys
import warnings

import numpy as np
from PVBM.FractalAnalysis import MultifractalVBMs
from PVBM.GeometricalAnalysis import GeometricalVBMs
from skan import Skeleton, summarize
from skimage.morphology import skeletonize


def measured(vessels: np.ndarray) -> dict[str, float]:
    skeleton = skeletonize(vessels)
    branches = summarize(Skeleton(skeleton), separator="_")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its successor needs the optic disc
        whole = GeometricalVBMs()
    ends, *_ = whole.compute_particular_points(skeleton.astype(float))
    return {
        "skan branches": len(branches),
        "skan length": float(branches["branch_distance"].sum()),
        "PVBM area": float(whole.area(vessels.astype(float))),
        "PVBM ends": float(ends),
    }


def dimension(fractal: np.ndarray) -> dict[str, float]:
    dimensions = MultifractalVBMs(n_rotations=1, optimize=False)
    return {"PVBM dimension": float(dimensions.compute_multifractals(fractal.astype(float))[0])}


if __name__ == "__main__":
    with np.load(sys.argv[1]) as maps, np.load(sys.argv[2]) as fractals:
        found = {name: measured(maps[name]) for name in maps.files}
        print(json.dumps(found | {name: dimension(fractals[name]) for name in fractals.files}))
