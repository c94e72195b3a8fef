"""Synthetic shifts of labelled fundus images: other light, optics, sensors, sizes and fields of view.

They ask what a model does on a camera that it was not trained on, where there are no labelled images of that
camera. Each shift moves the expert's map and the FOV mask with the image, and is the same each time.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.train.data.images import LabelledImage

Pixels = NDArray[np.float32]
"""(H, W, 3) RGB in [0, 1]."""


@dataclass(frozen=True)
class Shift:
    """One change of an image.

    Attributes
    ----------
    group : str
        Kind of shift: "light", "optics", "sensor", "size" or "field of view".
    apply : callable
        From a labelled image to the shifted one.
    """

    group: str
    apply: Callable[[LabelledImage], LabelledImage]


def colours(change: Callable[[Pixels, LabelledImage], Pixels]) -> Callable[[LabelledImage], LabelledImage]:
    """Make a shift of a change of colours inside the FOV; the surround stays as it is."""

    def apply(labelled: LabelledImage) -> LabelledImage:
        pixels = labelled.image.astype(np.float32) / np.float32(255.0)
        changed = np.rint(np.clip(change(pixels, labelled), 0.0, 1.0) * 255.0).astype(np.uint8)
        return replace(labelled, image=np.where(labelled.fov[..., None], changed, labelled.image))

    return apply


def cast(red: float, green: float, blue: float) -> Callable[[Pixels, LabelledImage], Pixels]:
    """Multiply the channels."""
    return lambda pixels, _: pixels * np.array([red, green, blue], np.float32)


def haze(share: float) -> Callable[[Pixels, LabelledImage], Pixels]:
    """Mix with a uniform light grey, as a cataract or stray light does."""
    return lambda pixels, _: pixels * (1.0 - share) + np.float32(0.6 * share)


def gamma(exponent: float) -> Callable[[Pixels, LabelledImage], Pixels]:
    """Raise to a power."""
    return lambda pixels, _: pixels ** np.float32(exponent)


def slope(darkest: float) -> Callable[[Pixels, LabelledImage], Pixels]:
    """Darken evenly from the left of the frame to the right, there to a share of the light."""

    def change(pixels: Pixels, _: LabelledImage) -> Pixels:
        light = np.linspace(1.0, darkest, pixels.shape[1], dtype=np.float32)
        return pixels * light[None, :, None]

    return change


def vignette(rim: float) -> Callable[[Pixels, LabelledImage], Pixels]:
    """Darken with the square of the distance from the FOV's centre, at its rim to a share of the light."""

    def change(pixels: Pixels, labelled: LabelledImage) -> Pixels:
        rows, columns = np.nonzero(labelled.fov)
        y, x = np.ogrid[: pixels.shape[0], : pixels.shape[1]]
        squares = (y - rows.mean()) ** 2 + (x - columns.mean()) ** 2
        light = 1.0 - (1.0 - rim) * squares / squares[labelled.fov].max()
        return np.asarray(pixels * np.clip(light, rim, 1.0).astype(np.float32)[..., None])

    return change


def blur(sigma: float) -> Callable[[Pixels, LabelledImage], Pixels]:
    """Blur by a Gaussian, sigma in thousandths of the image's width."""

    def change(pixels: Pixels, _: LabelledImage) -> Pixels:
        width = sigma * pixels.shape[1] / 1000.0
        return np.asarray(cv2.GaussianBlur(pixels, (0, 0), width), np.float32)

    return change


def noise(deviation: float) -> Callable[[Pixels, LabelledImage], Pixels]:
    """Add Gaussian noise of a standard deviation on the full range, the same for an image at each call."""

    def change(pixels: Pixels, labelled: LabelledImage) -> Pixels:
        generator = np.random.default_rng(zlib.crc32(labelled.name.encode()))
        return np.asarray(
            pixels + np.float32(deviation) * generator.standard_normal(pixels.shape, np.float32)
        )

    return change


def jpeg(quality: int) -> Callable[[LabelledImage], LabelledImage]:
    """Compress the whole frame as JPEG."""

    def apply(labelled: LabelledImage) -> LabelledImage:
        bgr = np.ascontiguousarray(labelled.image[..., ::-1])
        _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
        read = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
        return replace(labelled, image=np.ascontiguousarray(read[..., ::-1]))

    return apply


def resized(width: int) -> Callable[[LabelledImage], LabelledImage]:
    """Resize to a width in pixels; a map's pixel is vessel where at least half of it was."""

    def apply(labelled: LabelledImage) -> LabelledImage:
        scale = width / labelled.truth.shape[1]
        height = round(labelled.truth.shape[0] * scale)
        how = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_CUBIC

        def mask(values: NDArray[np.bool_]) -> NDArray[np.bool_]:
            way = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
            return (
                np.asarray(cv2.resize(values.astype(np.float32), (width, height), interpolation=way)) >= 0.5
            )

        image = np.asarray(cv2.resize(labelled.image, (width, height), interpolation=how), np.uint8)
        return _moved(labelled, image, mask)

    return apply


def zoomed(factor: float) -> Callable[[LabelledImage], LabelledImage]:
    """Magnify about the FOV's centre behind the same FOV, as a camera of a narrower field does."""

    def apply(labelled: LabelledImage) -> LabelledImage:
        height, width = labelled.truth.shape
        rows, columns = np.nonzero(labelled.fov)
        x, y = columns.mean(), rows.mean()
        matrix = np.array([[factor, 0.0, x - factor * x], [0.0, factor, y - factor * y]])

        def warp(values: NDArray[np.float32], how: int) -> NDArray[np.float32]:
            return np.asarray(cv2.warpAffine(values, matrix, (width, height), flags=how), np.float32)

        def mask(values: NDArray[np.bool_]) -> NDArray[np.bool_]:
            return (warp(values.astype(np.float32), cv2.INTER_LINEAR) >= 0.5) & labelled.fov

        image = np.rint(warp(labelled.image.astype(np.float32), cv2.INTER_CUBIC)).clip(0, 255)
        image = image.astype(np.uint8) * labelled.fov[..., None]
        moved = _moved(labelled, image, mask)
        return replace(moved, fov=labelled.fov)

    return apply


def cut(height: float, width: float) -> Callable[[LabelledImage], LabelledImage]:
    """Keep the middle of the FOV, these shares of its height and width: the frame cuts the disc."""

    def apply(labelled: LabelledImage) -> LabelledImage:
        rows, columns = (np.flatnonzero(labelled.fov.any(axis=axis)) for axis in (1, 0))
        spans = []
        for line, share in ((rows, height), (columns, width)):
            trim = round((line[-1] - line[0] + 1) * (1.0 - share) / 2.0)
            spans.append(slice(int(line[0]) + trim, int(line[-1]) + 1 - trim))
        window = tuple(spans)
        image = np.ascontiguousarray(labelled.image[window])
        return _moved(labelled, image, lambda values: np.ascontiguousarray(values[window]))

    return apply


def bordered(share: float) -> Callable[[LabelledImage], LabelledImage]:
    """Add black at the right and below, a share of the frame's sides: the retina lies off the centre."""

    def apply(labelled: LabelledImage) -> LabelledImage:
        height, width = (round(side * share) for side in labelled.truth.shape)
        image = np.pad(labelled.image, ((0, height), (0, width), (0, 0)))
        return _moved(labelled, image, lambda values: np.pad(values, ((0, height), (0, width))))

    return apply


def _moved(
    labelled: LabelledImage,
    image: NDArray[np.uint8],
    mask: Callable[[NDArray[np.bool_]], NDArray[np.bool_]],
) -> LabelledImage:
    second = None if labelled.second is None else mask(labelled.second)
    return LabelledImage(labelled.name, image, mask(labelled.truth), mask(labelled.fov), second)


def _unchanged(labelled: LabelledImage) -> LabelledImage:
    return labelled


SHIFTS: Mapping[str, Shift] = {
    "none": Shift("", _unchanged),
    "yellow cast": Shift("light", colours(cast(1.0, 0.85, 0.4))),
    "blue cast": Shift("light", colours(cast(0.6, 0.8, 1.6))),
    "red cast": Shift("light", colours(cast(1.2, 0.55, 0.5))),
    "dark, 40 % of the light": Shift("light", colours(cast(0.4, 0.4, 0.4))),
    "bright, 150 % of the light": Shift("light", colours(cast(1.5, 1.5, 1.5))),
    "gamma 0.6": Shift("light", colours(gamma(0.6))),
    "gamma 1.6": Shift("light", colours(gamma(1.6))),
    "slope to 35 % of the light": Shift("light", colours(slope(0.35))),
    "vignette to 35 % of the light": Shift("light", colours(vignette(0.35))),
    "haze 50 %": Shift("optics", colours(haze(0.5))),
    "blur, sigma 0.2 % of the width": Shift("optics", colours(blur(2.0))),
    "blur, sigma 0.4 % of the width": Shift("optics", colours(blur(4.0))),
    "noise, 3 % of the range": Shift("sensor", colours(noise(0.03))),
    "noise, 6 % of the range": Shift("sensor", colours(noise(0.06))),
    "JPEG, quality 30": Shift("sensor", jpeg(30)),
    "JPEG, quality 10": Shift("sensor", jpeg(10)),
    "400 pixels wide": Shift("size", resized(400)),
    "1000 pixels wide": Shift("size", resized(1000)),
    "3000 pixels wide": Shift("size", resized(3000)),
    "field of 30 degrees for 45": Shift("field of view", zoomed(1.5)),
    "top and bottom cut off": Shift("field of view", cut(0.8, 1.0)),
    "square inside the disc": Shift("field of view", cut(0.68, 0.68)),
    "off the centre": Shift("field of view", bordered(0.5)),
}
"""Shifts by what tables call them; the first changes nothing."""
