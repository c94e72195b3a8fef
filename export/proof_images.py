"""Patches to compare models on, prepared by the runtime's own code: of the user's images or drawn ones."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import ImageError
from retinagan.runtime.inputs import find_inputs
from retinagan.runtime.patches import PatchGrid
from retinagan.runtime.prepare import prepare
from retinagan.runtime.reading import read_image
from retinagan.runtime.spec import ModelSpec
from retinagan.runtime.tensors import image_tensor, roi_tensor


@dataclass(frozen=True)
class Patches:
    """A network's inputs.

    Attributes
    ----------
    image : (N, 3, height, width) float32 array
        Normalised.
    roi : (N, 1, height, width) float32 array
        0 or 1.
    """

    image: NDArray[np.float32]
    roi: NDArray[np.float32]


def patches_of_files(source: str | os.PathLike[str], spec: ModelSpec) -> Iterator[Patches]:
    """
    Give the patches of each image of a folder, one image at a time.

    Parameters
    ----------
    source : str or path
        A folder with fundus images, or one image.
    spec : ModelSpec
        How images are prepared and cut.

    Yields
    ------
    Patches
        Those with a ROI pixel, of one image.

    Raises
    ------
    InputError
        If there is no image.
    ImageError
        If one cannot be read or shows no retina; the text names it.
    """
    for found in find_inputs([os.fspath(source)]).inputs:
        try:
            yield patches_of(read_image(found.path), spec)
        except ImageError as error:
            text = str(error)
            raise ImageError(text if str(found.path) in text else f"{found.path}: {text}") from error


def patches_of(frame: NDArray[np.uint8] | NDArray[np.uint16], spec: ModelSpec) -> Patches:
    """Give the patches of one frame that hold a ROI pixel, as `Segmenter` gives them to its engine."""
    prepared = prepare(frame, spec.preprocessing)
    grid = PatchGrid(spec.preprocessing.working_size, spec.tiling.patch, spec.tiling.overlap)
    indices = grid.with_roi(prepared.roi)
    image = image_tensor(grid.split(prepared.image, indices), spec.network_input)
    return Patches(image, roi_tensor(grid.split(prepared.roi, indices)))


def noise_patches(divisor: int) -> Iterator[Patches]:
    """Give noise in batches and sizes unlike an image's, height and width unlike each other."""
    random = np.random.default_rng(0)
    for count, height, width in ((1, 3, 5), (3, 5, 2)):
        size = (height * divisor, width * divisor)
        image = random.standard_normal((count, 3, *size), np.float32)
        yield Patches(image, (random.random((count, 1, *size)) < 0.8).astype(np.float32))


def drawn_retina(side: int = 640, seed: int = 0) -> NDArray[np.uint8]:
    """
    Draw what a network meets in a fundus image: a bright disc on black, shading, winding dark lines, noise.

    Parameters
    ----------
    side : int
        Height and width in pixels.
    seed : int
        Of the lines' ways and the noise; the same seed gives the same image.

    Returns
    -------
    (side, side, 3) uint8 array
        RGB.
    """
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    distance = np.hypot(rows - side / 2, columns - side / 2) / (0.46 * side)
    light = 0.75 - 0.3 * distance**2
    vessels = np.zeros((side, side), np.float32)
    for width in (7, 5, 4, 3, 3, 2, 2, 2, 1, 1, 1, 1):
        turns = np.cumsum(random.normal(0, 0.12, 60)) + random.uniform(0, 2 * np.pi)
        steps = np.stack([np.cos(turns), np.sin(turns)], axis=1) * side / 60
        way = np.array([0.35, 0.5]) * side + np.cumsum(steps, axis=0)
        scaled = max(1, round(width * side / 640))
        cv2.polylines(vessels, [way.round().astype(np.int32)], False, 1.0, scaled, cv2.LINE_AA)
    reflected = light * (1 - 0.45 * cv2.GaussianBlur(vessels, (0, 0), side / 800))
    image = reflected[..., None] * np.array([1.0, 0.55, 0.3]) + random.normal(0, 0.015, (side, side, 3))
    inside = (distance < 1)[..., None]
    return np.where(inside, np.clip(image, 0.02, 1) * 255, 0).astype(np.uint8)
