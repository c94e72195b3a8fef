"""Evaluate vessel maps for each image and pooled, inside the FOV and over the whole image."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import ImageError
from retinagan.runtime.steps.threshold import Thresholding
from retinagan.train.data.images import LabelledImage
from retinagan.train.scores.bootstrap import interval, resample
from retinagan.train.scores.counts import MapCounts
from retinagan.train.scores.metrics import Histogram, Scores
from retinagan.train.scores.prediction import Predict

FOV, WHOLE, SQUARE = REGIONS = (
    "inside the FOV, native size",
    "whole image, native size",
    "whole image, 512x512",
)
"""The scored regions. Rates over the whole image count the black surround as correct; the paper resizes
images to 512x512, which changes the rates again."""

MODEL, SECOND = "model", "second observer"
POOLED = "all pixels"
_SIDE = 512


@dataclass(frozen=True)
class Measured:
    """Counts of one image for each of `REGIONS`; also of the second observer, if there is one.

    `threshold` is the model's for this image.
    """

    name: str
    threshold: float
    model: tuple[MapCounts, ...]
    second: tuple[MapCounts, ...] | None


@dataclass(frozen=True)
class Row:
    """Scores of one map, or of all pixels pooled, in one region.

    Attributes
    ----------
    map : str
        `MODEL` or `SECOND`.
    region : str
        One of `REGIONS`.
    image : str
        The image's name, or `POOLED`.
    scores : Scores
        A drawn map, such as the second observer's, has no ROC curve: `auc` and `sensitivity_at_98` are NaN.
    interval : (Scores, Scores) or None
        Lower and upper ends over resampled images; only for pooled rows of two or more images.
    """

    map: str
    region: str
    image: str
    scores: Scores
    interval: tuple[Scores, Scores] | None = None


def measure(
    predict: Predict, images: Iterable[LabelledImage], thresholding: Thresholding
) -> Iterator[Measured]:
    """Predict and count the images one at a time; an `ImageError` names its image."""
    for image in images:
        probability = _predicted(predict, image)
        second = None
        if image.second is not None:
            second = _counts(image.second.astype(np.float32), image, 0.5)
        threshold = thresholding.of_map(probability)
        yield Measured(image.name, threshold, _counts(probability, image, threshold), second)


def _predicted(predict: Predict, image: LabelledImage) -> NDArray[np.float32]:
    try:
        return predict(image)
    except ImageError as error:
        raise type(error)(f"{image.name}: {error}") from error


def _counts(
    probability: NDArray[np.float32], image: LabelledImage, threshold: float
) -> tuple[MapCounts, ...]:
    return (
        MapCounts.of(probability, image.truth, threshold, image.fov),
        MapCounts.of(probability, image.truth, threshold),
        MapCounts.of(_squeezed(probability), _squeezed(image.truth.astype(np.float32)) >= 0.5, threshold),
    )


def _squeezed(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Resize a map in [0, 1] to 512x512 by area averaging."""
    resized = cv2.resize(values, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return np.clip(np.asarray(resized, np.float32), 0.0, 1.0)


def inside_fov(predict: Predict, images: Iterable[LabelledImage]) -> Histogram:
    """Predict images and pool their pixels inside the FOV, to choose a threshold."""
    return Histogram.pooled(
        Histogram.of(_predicted(predict, image), image.truth, image.fov) for image in images
    )


def score(measured: list[Measured]) -> list[Row]:
    """Score each image and all pixels in all regions; the second observer's rows come last."""
    rows = _rows(MODEL, [(image.name, image.model) for image in measured])
    seconds = [(image.name, image.second) for image in measured if image.second is not None]
    if seconds:
        rows += [_without_curve(row) for row in _rows(SECOND, seconds)]
    return rows


def _rows(label: str, images: list[tuple[str, tuple[MapCounts, ...]]]) -> list[Row]:
    rows = []
    for index, region in enumerate(REGIONS):
        counts = [one[index] for _, one in images]
        spread = interval(resample(counts)) if len(counts) > 1 else None
        rows.append(Row(label, region, POOLED, MapCounts.pooled(counts).scores(), spread))
        rows += [Row(label, region, name, one[index].scores()) for name, one in images]
    return rows


def _without_curve(row: Row) -> Row:
    nan = float("nan")

    def cut(scores: Scores) -> Scores:
        return dataclasses.replace(scores, auc=nan, sensitivity_at_98=nan)

    spread = row.interval and (cut(row.interval[0]), cut(row.interval[1]))
    return dataclasses.replace(row, scores=cut(row.scores), interval=spread)
