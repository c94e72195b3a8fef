"""Images of a dataset with the experts' maps: at native size, and as training images."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.reading import read_image
from retinagan.runtime.model.parameters import Preprocessing
from retinagan.runtime.retina.find import Retina, find_retina
from retinagan.runtime.steps.crop import SquareCrop, square_crop
from retinagan.runtime.steps.picture import Picture, picture_of
from retinagan.runtime.steps.scale import working_square
from retinagan.train.data.alignment import alignment_fault, detail_of, rim_fault
from retinagan.train.data.description import DataError
from retinagan.train.data.drawing import drawing_fault
from retinagan.train.data.extent import drawing_doubts, extent_fault
from retinagan.train.data.files import Sample
from retinagan.train.data.labels import Label, read_label, say_mapping
from retinagan.train.data.masks import fov_fault, rim_of, truth_fault
from retinagan.train.data.pictures import checked_picture, say_doubts

_EXAMPLES = 3


@dataclass(frozen=True)
class LabelledImage:
    """One image at native size, with the experts' maps.

    Attributes
    ----------
    image : (H, W, 3) uint8
        RGB.
    truth, fov, second : (H, W) bool
        The expert's vessels; the FOV mask of the dataset, or the retina found if there is none; and the
        second observer's vessels or None.
    field_of_view : float or None
        Angle of the camera in degrees, if known.
    """

    name: str
    image: NDArray[np.uint8]
    truth: NDArray[np.bool_]
    fov: NDArray[np.bool_]
    second: NDArray[np.bool_] | None
    field_of_view: float | None = None


@dataclass(frozen=True)
class TrainingImage:
    """One image before equalization: the square round the retina at working size.

    It takes five bytes per pixel, six with a second expert's map, since a run and each of its workers hold
    all images in memory.

    Attributes
    ----------
    image : (S, S, 3) uint8
        RGB, 0 where the square leaves the frame.
    roi : (S, S) bool
        Inside the retina.
    truth : (S, S) uint8
        Share of vessel in each pixel, 0 to 255: the expert's map shrunk by area; 0 outside the ROI.
    dataset : str
        Name of its dataset; empty if there is only one.
    second : (S, S) uint8 or None
        The same by another expert, if it is to be learned from, too.
    """

    name: str
    image: NDArray[np.uint8]
    roi: NDArray[np.bool_]
    truth: NDArray[np.uint8]
    dataset: str = ""
    second: NDArray[np.uint8] | None = None


def qualified(dataset: str, name: str) -> str:
    """Return the name of an image, preceded by that of its dataset if there are several."""
    return f"{dataset}/{name}" if dataset else name


def load_labelled(sample: Sample) -> LabelledImage:
    """Read one image with its maps at native size; print once what is doubtful about the image.

    Raises
    ------
    DataError
        If a file cannot be read, the image is scrambled, sizes differ, or a map or mask does not fit the
        image: it shows no vessels or other ones, or another field of view.
    """
    try:
        photograph = read_image(sample.image)
    except ImageError as error:
        raise DataError(f"{sample.image.name}: {error}") from error
    image = photograph.as_rgb8()
    retina, missing = _retina_of(image)
    picture = None if retina is None else picture_of(image, retina)
    doubts = list(photograph.warnings)
    if picture is not None:
        doubts += checked_picture(sample.image, picture)
    truth = _checked_vessels(sample.truth, sample, image, picture)
    second = None if sample.second is None else _checked_vessels(sample.second, sample, image, picture)
    if sample.fov is not None:
        fov = _checked_fov(sample.fov, sample, truth, retina)
    elif retina is not None:
        fov = retina.mask
    else:
        raise DataError(f"{sample.image.name}: {missing}")
    say_doubts(sample.image, doubts)
    return LabelledImage(sample.name, image, truth, fov, second, sample.field_of_view)


def _retina_of(image: NDArray[np.uint8]) -> tuple[Retina | None, str]:
    """Return the retina in an image, or None and the reason."""
    try:
        return find_retina(image), ""
    except ImageError as error:
        return None, str(error)


def _drawn(path: Path, what: str, sample: Sample, shape: tuple[int, int]) -> Label:
    """Read what is drawn in a map of an image of that shape, and say once how its values were taken."""
    try:
        label = read_label(path, what, area=what == "field of view")
    except ImageError as error:
        raise DataError(f"{path}: {error}") from error
    say_mapping(label)
    theirs = label.mask.shape
    if theirs != shape:
        swapped = ": turn it like the image, whose file may have an EXIF orientation"
        raise DataError(
            f"{path}: {theirs[1]}x{theirs[0]} pixels, but its image {sample.image.name} "
            f"has {shape[1]}x{shape[0]}{swapped if theirs == shape[::-1] else ''}"
        )
    return label


def _checked_vessels(
    path: Path, sample: Sample, image: NDArray[np.uint8], picture: Picture | None
) -> NDArray[np.bool_]:
    """Read an expert's vessels; refuse what cannot be vessels, or not those of the image."""
    label = _drawn(path, "vessel", sample, image.shape[:2])
    retina = None if picture is None else picture.retina
    mask, rim = (None, None) if retina is None else (retina.mask, rim_of(retina.mask, retina.disc.radius))
    if fault := truth_fault(label.mask, mask, rim):
        raise DataError(f"{path}: {fault}; its values were read as {label.mapping}: draw vessels on black")
    if picture is None:
        return label.mask
    detail = detail_of(image, picture.retina)
    fault = (
        drawing_fault(label.mask & picture.retina.mask, picture.retina.disc)
        or alignment_fault(detail, label.mask)
        or extent_fault(picture, label.mask)
        or rim_fault(detail, label.mask)
    )
    if fault:
        raise DataError(f"{path}: {fault}")
    say_doubts(path, drawing_doubts(picture, label.mask))
    return label.mask


def _checked_fov(
    path: Path, sample: Sample, truth: NDArray[np.bool_], retina: Retina | None
) -> NDArray[np.bool_]:
    """Read an FOV mask; refuse one that agrees with neither the retina nor the vessels."""
    mask = _drawn(path, "field of view", sample, truth.shape).mask
    if fault := fov_fault(mask, truth, None if retina is None else retina.mask):
        raise DataError(f"{path}: {fault}; correct the mask, or remove it to use the retina found")
    return mask


def crop_for_training(
    labelled: LabelledImage, preprocessing: Preprocessing, *, both: bool = False
) -> TrainingImage:
    """Crop the square round the retina exactly as the runtime does, and the map with it.

    Parameters
    ----------
    labelled : LabelledImage
        Image at native size.
    preprocessing : Preprocessing
        Preprocessing, which sets the size of the square.
    both : bool
        Whether to take the second expert's map, too, where there is one.

    Raises
    ------
    DataError
        If no retina is found, it has no vessel pixel, or the size of the square depends on an unknown angle.
    """
    if preprocessing.pixels_per_degree is not None and labelled.field_of_view is None:
        raise DataError(
            f"{labelled.name}: its camera's angle is not known, from which the size of the square follows: "
            f"{_give_angle('NAME')}"
        )
    try:
        retina = find_retina(labelled.image)
    except ImageError as error:
        raise DataError(f"{labelled.name}: {error}") from error
    square = working_square(preprocessing, retina.disc, labelled.field_of_view)
    crop: SquareCrop = square_crop(retina.disc, labelled.truth.shape, square.size, square.side)
    roi = crop.cut_mask(retina.mask)

    def shares(vessels: NDArray[np.bool_]) -> NDArray[np.uint8]:
        share = np.where(roi, crop.cut(np.where(vessels, np.uint8(255), np.uint8(0))), np.uint8(0))
        if not share.any():
            raise DataError(f"{labelled.name}: no vessel pixel inside the retina that was found")
        return share

    second = shares(labelled.second) if both and labelled.second is not None else None
    return TrainingImage(labelled.name, crop.cut(labelled.image), roi, shares(labelled.truth), second=second)


def _give_angle(dataset: str) -> str:
    return (
        f"give --field-of-view {dataset}=DEGREES, where the name is that of the dataset's folder, "
        'or write {"field_of_view": DEGREES} into its dataset.json'
    )


def _check_angles(samples: list[Sample], preprocessing: Preprocessing, dataset: str) -> None:
    """Refuse images of unknown angle together, before any is read."""
    unknown = [sample.name for sample in samples if sample.field_of_view is None]
    if preprocessing.pixels_per_degree is None or not unknown:
        return
    named = ", ".join(unknown[:_EXAMPLES]) + (", ..." if len(unknown) > _EXAMPLES else "")
    raise DataError(
        f"{f'{dataset}: ' if dataset else ''}the camera's angle is not known of {len(unknown)} of "
        f"{len(samples)} images ({named}), from which the size of the square follows: "
        f"{_give_angle(dataset or 'NAME')}"
    )


def load_training_images(
    samples: list[Sample], preprocessing: Preprocessing, dataset: str = "", *, both: bool = False
) -> list[TrainingImage]:
    """Read and crop all images before the first step, so that bad data is reported at once.

    Parameters
    ----------
    samples : list of Sample
        Files of the images.
    preprocessing : Preprocessing
        Preprocessing, which sets the size of the squares.
    dataset : str
        Name of the dataset; empty if there is only one.
    both : bool
        As for `crop_for_training`.

    Raises
    ------
    DataError
        With one line for each sample that cannot be used; with one line for all, before any is read, where
        the size of the squares depends on an angle that is not known.
    """
    _check_angles(samples, preprocessing, dataset)
    images, faults = [], []
    for sample in samples:
        try:
            image = crop_for_training(load_labelled(sample), preprocessing, both=both)
            images.append(dataclasses.replace(image, dataset=dataset))
        except DataError as error:
            faults.append(str(error))
    if faults:
        raise DataError("\n".join(faults))
    return images


def images_sha256(images: Iterable[TrainingImage]) -> str:
    """Return the SHA-256 of training images and their maps, as they are learned from, in hexadecimal."""
    digest = hashlib.sha256()
    for image in images:
        digest.update(f"{image.dataset}/{image.name} {image.truth.shape}\0".encode())
        for pixels in (image.image, image.roi, image.truth, image.second):
            if pixels is not None:
                digest.update(pixels.tobytes())
    return digest.hexdigest()
