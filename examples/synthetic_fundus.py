"""Synthetic fundus photographs with exact vessel truth.

``python examples/synthetic_fundus.py --out examples/images`` writes the example pictures of this folder;
``python examples/synthetic_fundus.py --count 20 --out DIR`` writes a dataset of pictures, truths and masks.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from synthetic_background import paint_retina
from synthetic_camera import CAMERAS, Camera, field_of_view, photograph
from synthetic_drawing import View, draw_vessels
from synthetic_vessels import FOVEA, grow_vessels

EYES = ("right", "left")
JPEG_QUALITY = 90


@dataclass(frozen=True)
class FundusOptions:
    """What to render.

    Attributes
    ----------
    seed : int
        Same seed, same eye.
    camera : str or Camera
        A name in CAMERAS or a camera of one's own.
    eye : str
        "right" (the optic disc on the right of the picture) or "left".
    tortuosity : float
        Size of the vessels' bends, 1 for an ordinary eye.
    """

    seed: int = 0
    camera: str | Camera = "canon"
    eye: str = "right"
    tortuosity: float = 1.0


@dataclass(frozen=True)
class Fundus:
    """A rendered picture.

    Attributes
    ----------
    image : ndarray, (H, W, 3) uint8
        RGB.
    vessels : ndarray, (H, W) bool
        Pixels of all vessels drawn at least one pixel wide, inside the field of view.
    roi : ndarray, (H, W) bool
        The field of view.
    """

    image: np.ndarray
    vessels: np.ndarray
    roi: np.ndarray


EXAMPLES = {
    "right_eye.jpg": FundusOptions(seed=26, camera="canon"),
    "left_eye_wide.jpg": FundusOptions(seed=7, camera="wide", eye="left"),
    "handheld.png": FundusOptions(seed=14, camera="smartphone"),
}


def render(options: FundusOptions) -> Fundus:
    """Render a fundus photograph.

    Parameters
    ----------
    options : FundusOptions

    Returns
    -------
    Fundus

    Raises
    ------
    ValueError
        For a camera or an eye that does not exist.
    """
    if isinstance(options.camera, str) and options.camera not in CAMERAS:
        raise ValueError(f"unknown camera {options.camera!r}: use one of {', '.join(CAMERAS)}, or a Camera")
    if options.eye not in EYES:
        raise ValueError(f"unknown eye {options.eye!r}: use 'right' or 'left'")
    camera = CAMERAS[options.camera] if isinstance(options.camera, str) else options.camera
    seeds = np.random.SeedSequence(options.seed).spawn(4)
    growth, drawing, painting, sensing = (np.random.default_rng(seed) for seed in seeds)
    view = _aim(drawing, camera, options.eye)
    vessels = grow_vessels(growth, camera.field / 2 + 4, options.tortuosity)
    drawn = draw_vessels(drawing, vessels, view)
    image = photograph(sensing, paint_retina(painting, view, drawn), camera)
    roi = field_of_view(camera) >= 0.5
    return Fundus(image, drawn.truth & roi, roi)


def _aim(rng: np.random.Generator, camera: Camera, eye: str) -> View:
    """Point the camera at the macula, not quite exactly."""
    gaze = FOVEA + rng.normal(0, 0.7, 2)
    scale = camera.pixels_per_degree
    across = scale if eye == "right" else -scale
    origin = (camera.center_x - across * gaze[0], camera.center_y - scale * gaze[1])
    return View(camera.height, camera.width, (across, scale), origin)


def write_examples(folder: Path) -> None:
    """Write the pictures of EXAMPLES."""
    for name, options in EXAMPLES.items():
        _write(folder / name, render(options).image)


def write_dataset(folder: Path, options: FundusOptions, count: int) -> None:
    """Write ``count`` pictures, right and left eyes in turn, with seeds from ``options.seed``.

    The folders are ``images`` (RGB), ``labels`` (vessels 255) and ``masks`` (field of view 255), under the
    same file names: the plain dataset layout that ``retina-train --data`` reads.
    """
    for seed in range(options.seed, options.seed + count):
        fundus = render(replace(options, seed=seed, eye=EYES[seed % 2]))
        _write(folder / "images" / f"{seed:04d}.png", fundus.image)
        _write(folder / "labels" / f"{seed:04d}.png", np.uint8(255) * fundus.vessels)
        _write(folder / "masks" / f"{seed:04d}.png", np.uint8(255) * fundus.roi)


def _write(path: Path, image: np.ndarray) -> None:
    """Write a grey or RGB picture; an interrupted run leaves no partial file under its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ordered = image[..., ::-1] if image.ndim == 3 else image
    quality = (
        (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY)
        if path.suffix == ".jpg"
        else (cv2.IMWRITE_PNG_COMPRESSION, 9)
    )
    _, code = cv2.imencode(path.suffix, ordered, quality)
    part = path.with_name(path.name + ".part")
    part.write_bytes(code.tobytes())
    part.replace(path)


def main(argv: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Render synthetic fundus pictures with exact vessel truth.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    parser.add_argument("--count", type=int, metavar="N", help="write N pictures with vessel maps and masks")
    parser.add_argument(
        "--camera", choices=CAMERAS, default="canon", help="camera, with --count (default: canon)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the first picture, with --count (default: 0)"
    )
    arguments = parser.parse_args(argv)
    if arguments.count is None:
        write_examples(arguments.out)
    elif arguments.count < 1 or arguments.seed < 0:
        parser.error(
            f"--count {arguments.count} --seed {arguments.seed}: expected --count from 1 and --seed from 0"
        )
    else:
        write_dataset(arguments.out, FundusOptions(arguments.seed, arguments.camera), arguments.count)


if __name__ == "__main__":
    main()
