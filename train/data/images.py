"""Images of a dataset with what experts drew on them: at native size, and as the net learns from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.frames import as_rgb8
from retinagan.runtime.images.reading import read_image
from retinagan.runtime.retina.find import find_retina
from retinagan.runtime.steps.crop import SquareCrop, square_crop
from retinagan.train.data.files import DataError, Sample


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
