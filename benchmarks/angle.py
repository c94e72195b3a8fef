"""Whether the camera's angle can be told from the picture: by the width of the vessels, in disc diameters.

    python benchmarks/angle.py --data CHASE_DB1 DRIVE FIVES HRF --field-of-view FIVES=50

The widest vessels of an adult's eye are about equally wide in degrees, so their width as a share of the
disc's diameter falls as the camera's angle grows. Here the widths are those of the experts' maps: a model's
are no better. The factor from width to angle is the median over all cameras but one, each with the same
weight; the angles of the camera that is left out are estimated by it. Errors are those of the estimate, and
of 45 degrees for every image, as shares of the true angle: the mean over the images, and the largest.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from skimage.morphology import skeletonize
from tqdm import tqdm

from retinagan.runtime.errors import RetinaGanError
from retinagan.runtime.retina.find import find_retina
from retinagan.train.data.files import ALL, find_dataset, folder_name
from retinagan.train.data.given import Given, named_angle
from retinagan.train.data.images import LabelledImage, load_labelled

ASSUMED = 45.0
QUANTILES = (0.5, 0.8, 0.95)
"""Quantiles of the width along the centrelines."""


def widths(image: LabelledImage) -> np.ndarray:
    """Return the quantiles of the vessels' width, in disc diameters."""
    truth = np.pad(image.truth.astype(np.uint8), 1)
    distance = cv2.distanceTransform(truth, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    along = 2 * distance[skeletonize(truth > 0)] - 1
    return np.quantile(along, QUANTILES) / (2 * find_retina(image.image).disc.radius)


def errors(shares: dict[str, np.ndarray], angles: dict[str, np.ndarray], left_out: str) -> np.ndarray:
    """Return the relative error of each image's estimated angle, by a fit to all other cameras."""
    factor = np.mean([np.median(angles[name] * shares[name]) for name in shares if name != left_out])
    return np.abs(factor / shares[left_out] / angles[left_out] - 1)


def main(arguments: list[str] | None = None) -> int:
    """Print a table by camera; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--data", nargs="+", required=True, metavar="DIR", help="at least two dataset folders"
    )
    parser.add_argument("--field-of-view", action="append", default=[], type=named_angle, metavar="NAME=DEG")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take each Nth image")
    options = parser.parse_args(arguments)
    if len(options.data) < 2:
        parser.error("--data: give at least two folders, as a camera is estimated from the others")
    measured, angles = {}, {}
    try:
        names = [folder_name(folder) for folder in options.data]
        known = Given(options.field_of_view).of(names)
        for folder, name in zip(options.data, names, strict=True):
            samples = find_dataset(folder, ALL, known[name]).samples[:: options.every]
            images = (load_labelled(sample) for sample in samples)
            bar = tqdm(images, total=len(samples), desc=name, disable=not sys.stderr.isatty())
            measured[Path(folder).name] = np.array([widths(image) for image in bar])
            angles[Path(folder).name] = np.array([sample.field_of_view or np.nan for sample in samples])
    except RetinaGanError as error:
        print(error, file=sys.stderr)
        return 2
    heads = [f"{quantile:.0%} of the widths" for quantile in QUANTILES]
    print("| camera left out | angle | 45 degrees | " + " | ".join(heads) + " |\n| --- |" + " ---: |" * 5)
    for name in measured:
        cells = [f"{np.abs(ASSUMED / angles[name] - 1).mean():.2f}"]
        for index in range(len(QUANTILES)):
            found = errors({key: value[:, index] for key, value in measured.items()}, angles, name)
            cells.append(f"{found.mean():.2f} (at most {found.max():.2f})")
        print(f"| {name} | {np.mean(angles[name]):.0f} | {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
