"""Images of a dataset with what experts drew on them: at native size, and as the net learns from them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.frames import as_rgb8
from retinagan.runtime.images.reading import read_image
from retinagan.runtime.model.spec import Preprocessing
from retinagan.runtime.retina.find import find_retina
from retinagan.runtime.steps.crop import SquareCrop, square_crop
from retinagan.runtime.steps.scale import working_square
from retinagan.train.data.description import DataError
from retinagan.train.data.files import Sample


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
    field_of_view : float or None
        The camera's angle in degrees, where it is known.
    """

    name: str
    image: NDArray[np.uint8]
    truth: NDArray[np.bool_]
    fov: NDArray[np.bool_]
    second: NDArray[np.bool_] | None
    field_of_view: float | None = None


@dataclass(frozen=True)
class TrainingImage:
    """One image as the net sees it before equalization: the square round the retina at working size.

    It takes five bytes a pixel, since a run holds all of its images, and so does each of its workers.

    Attributes
    ----------
    image : (S, S, 3) uint8
        RGB, 0 where the square leaves the frame.
    roi : (S, S) bool
        Inside the retina.
    truth : (S, S) uint8
        Share of vessel in each pixel, 0 to 255: the expert's map shrunk by area; 0 outside the ROI.
    dataset : str
        Name of the dataset that it belongs to; empty where there is but one.
    """

    name: str
    image: NDArray[np.uint8]
    roi: NDArray[np.bool_]
    truth: NDArray[np.uint8]
    dataset: str = ""


def qualified(dataset: str, name: str) -> str:
    """Return an image's name, with its dataset's where there are several."""
    return f"{dataset}/{name}" if dataset else name


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
    return LabelledImage(sample.name, image, truth, fov, second, sample.field_of_view)


def _read_mask(path: Path) -> NDArray[np.bool_]:
    pixels = as_rgb8(read_image(path))
    mask: NDArray[np.bool_] = pixels[..., 1] > 127
    if pixels.max() == 1:  # some datasets store 0 and 1
        mask = pixels[..., 1] > 0
    return mask


def crop_for_training(labelled: LabelledImage, preprocessing: Preprocessing) -> TrainingImage:
    """Cut the square round the retina exactly as the runtime does, the map with it.

    Parameters
    ----------
    labelled : LabelledImage
        At native size.
    preprocessing : Preprocessing
        Says how large the square becomes.

    Raises
    ------
    DataError
        If no retina is found, it holds no vessel pixel, or the square follows from an angle that is not
        known.
    """
    if preprocessing.pixels_per_degree is not None and labelled.field_of_view is None:
        raise DataError(
            f"{labelled.name}: its camera's angle is not known, from which the size of the square follows: "
            'give --field-of-view NAME=DEGREES, or write {"field_of_view": DEGREES} into the dataset\'s '
            "dataset.json"
        )
    try:
        retina = find_retina(labelled.image)
    except ImageError as error:
        raise DataError(f"{labelled.name}: {error}") from error
    square = working_square(preprocessing, retina.disc, labelled.field_of_view)
    crop: SquareCrop = square_crop(retina.disc, labelled.truth.shape, square.size, square.side)
    roi = crop.cut_mask(retina.mask)
    truth = np.where(roi, crop.cut(np.where(labelled.truth, np.uint8(255), np.uint8(0))), np.uint8(0))
    if not truth.any():
        raise DataError(f"{labelled.name}: no vessel pixel inside the retina that was found")
    return TrainingImage(labelled.name, crop.cut(labelled.image), roi, truth)


def load_training_images(
    samples: list[Sample], preprocessing: Preprocessing, dataset: str = ""
) -> list[TrainingImage]:
    """Read and cut all images before the first step, so that bad data is named at once.

    Parameters
    ----------
    samples : list of Sample
        Where the images are.
    preprocessing : Preprocessing
        Says how large their squares become.
    dataset : str
        Name of the dataset, where there are several.

    Raises
    ------
    DataError
        With one line for each sample that cannot be used.
    """
    images, faults = [], []
    for sample in samples:
        try:
            image = crop_for_training(load_labelled(sample), preprocessing)
            images.append(dataclasses.replace(image, dataset=dataset))
        except DataError as error:
            faults.append(str(error))
    if faults:
        raise DataError("\n".join(faults))
    return images
