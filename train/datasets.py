"""Datasets by their folder layout: fundus images with the experts' vessel maps and FOV masks.

Two layouts are read. DRIVE's: `training|test/` with `images/`, `1st_manual/`, `mask/` (and `2nd_manual/`),
the files of one image sharing their leading number. Plain: `images/`, `labels/` and optionally `masks/`,
either at the top or in a folder for each split, the files of one image sharing their stem.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.crop import SquareCrop, square_crop
from retinagan.runtime.errors import ImageError, RetinaGanError
from retinagan.runtime.frames import as_rgb8
from retinagan.runtime.reading import SUFFIXES, read_image
from retinagan.runtime.roi import find_retina


class DataError(RetinaGanError, ValueError):
    """A dataset folder cannot be used; the text has a line for each file that is wrong."""


@dataclass(frozen=True)
class Sample:
    """Where the files of one image are."""

    name: str
    image: Path
    truth: Path
    fov: Path | None = None
    second: Path | None = None


@dataclass(frozen=True)
class LabelledImage:
    """One image at its native size, with what experts drew on it.

    Attributes
    ----------
    image : (H, W, 3) uint8
        RGB.
    truth, fov, second : (H, W) bool
        The expert's vessels, the dataset's own FOV mask (the found retina where it has none), and the second
        observer's vessels or None.
    """

    name: str
    image: NDArray[np.uint8]
    truth: NDArray[np.bool_]
    fov: NDArray[np.bool_]
    second: NDArray[np.bool_] | None


@dataclass(frozen=True)
class TrainingImage:
    """One image as the net sees it before equalization: the square round the retina at working size.

    Attributes
    ----------
    image : (S, S, 3) uint8
        RGB, 0 where the square leaves the frame.
    roi : (S, S) bool
        Inside the retina.
    truth : (S, S) float32
        Share of vessel in each pixel, 0 to 1: the expert's map shrunk by area.
    """

    name: str
    image: NDArray[np.uint8]
    roi: NDArray[np.bool_]
    truth: NDArray[np.float32]


def find_samples(folder: str | Path, split: str) -> list[Sample]:
    """List a dataset's images with their maps and masks.

    Parameters
    ----------
    folder : path
        The dataset's folder, in DRIVE's layout or the plain one.
    split : {"training", "test"}
        The half wanted. A plain folder without splits is taken whole for either.

    Raises
    ------
    DataError
        If the layout is not known, no image is there, or an image lacks its map.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder: give the dataset's folder, e.g. --data DRIVE")
    root = folder / split if (folder / split).is_dir() else folder
    if not (root / "images").is_dir():
        raise DataError(
            f"{folder} holds no dataset: expected {split}/images with {split}/1st_manual (DRIVE) "
            "or images with labels (plain)"
        )
    if (root / "1st_manual").is_dir():
        return _match(root, truth="1st_manual", fov="mask", second="2nd_manual", key=_leading_number)
    if (root / "labels").is_dir():
        return _match(root, truth="labels", fov="masks", second="labels2", key=_stem)
    raise DataError(
        f"{root} has images but no vessel maps: expected a folder 1st_manual or labels beside images"
    )


def _leading_number(path: Path) -> str:
    match = re.match(r"\d+", path.stem)
    return match.group() if match else path.stem


def _stem(path: Path) -> str:
    return path.stem


def _match(root: Path, *, truth: str, fov: str, second: str, key: Callable[[Path], str]) -> list[Sample]:
    folders = {name: _by_key(root / name, key) for name in ("images", truth, fov, second)}
    if not folders["images"]:
        raise DataError(f"{root / 'images'} holds no image")
    missing = [str(path) for name, path in folders["images"].items() if name not in folders[truth]]
    if missing:
        raise DataError("\n".join(f"{path}: no vessel map of it in {root / truth}" for path in missing))
    return [
        Sample(path.stem, path, folders[truth][name], folders[fov].get(name), folders[second].get(name))
        for name, path in folders["images"].items()
    ]


def _by_key(folder: Path, key: Callable[[Path], str]) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    found: dict[str, Path] = {}
    for path in files:
        if key(path) in found:
            raise DataError(
                f"{path} and {found[key(path)]} both belong to image {key(path)}: keep one of them"
            )
        found[key(path)] = path
    return found


def load_labelled(sample: Sample) -> LabelledImage:
    """Read one image with its maps at native size.

    Raises
    ------
    DataError
        If a file cannot be read, sizes differ, or the map has no vessel pixel.
    """
    try:
        image = as_rgb8(read_image(sample.image))
        truth = _read_mask(sample.truth)
        second = None if sample.second is None else _read_mask(sample.second)
        fov = find_retina(image).mask if sample.fov is None else _read_mask(sample.fov)
    except ImageError as error:
        raise DataError(f"{sample.image.name}: {error}") from error
    for path, mask in ((sample.truth, truth), (sample.fov, fov), (sample.second, second)):
        if mask is not None and mask.shape != image.shape[:2]:
            raise DataError(
                f"{path}: {mask.shape[1]}x{mask.shape[0]} pixels, but its image {sample.image.name} "
                f"has {image.shape[1]}x{image.shape[0]}"
            )
    share = truth.mean()
    if not 0.0 < share < 0.5:
        raise DataError(
            f"{sample.truth}: {share:.0%} of it is vessel, expected more than none and less than half: "
            "vessels must be white on black"
        )
    return LabelledImage(sample.name, image, truth, fov, second)


def _read_mask(path: Path) -> NDArray[np.bool_]:
    pixels = as_rgb8(read_image(path))
    mask: NDArray[np.bool_] = pixels[..., 1] > 127
    if pixels.max() == 1:  # some datasets store 0 and 1
        mask = pixels[..., 1] > 0
    return mask


def crop_for_training(labelled: LabelledImage, working_size: int) -> TrainingImage:
    """Cut the square round the retina exactly as the runtime does, the map with it.

    Raises
    ------
    DataError
        If no retina is found, or it holds no vessel pixel.
    """
    try:
        retina = find_retina(labelled.image)
    except ImageError as error:
        raise DataError(f"{labelled.name}: {error}") from error
    crop: SquareCrop = square_crop(retina.disc, labelled.truth.shape, working_size)
    roi = crop.cut_mask(retina.mask)
    truth = crop.cut(labelled.truth.astype(np.float32)) * roi
    if not truth.any():
        raise DataError(f"{labelled.name}: no vessel pixel inside the retina that was found")
    return TrainingImage(labelled.name, crop.cut(labelled.image), roi, np.clip(truth, 0.0, 1.0))


def load_training_images(samples: list[Sample], working_size: int) -> list[TrainingImage]:
    """Read and cut all images before the first step, so that bad data is named at once.

    Raises
    ------
    DataError
        With one line for each sample that cannot be used.
    """
    images, faults = [], []
    for sample in samples:
        try:
            images.append(crop_for_training(load_labelled(sample), working_size))
        except DataError as error:
            faults.append(str(error))
    if faults:
        raise DataError("\n".join(faults))
    return images
