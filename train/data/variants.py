"""Variants of the training images: jittered in colour and equalized, each a pure function of its number."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import OptionError
from retinagan.runtime.model.parameters import Preprocessing
from retinagan.runtime.steps.equalize import equalize
from retinagan.train.data.colour_jitter import ColourJitter, jitter_colours
from retinagan.train.data.geometric_jitter import Box, Layers
from retinagan.train.data.images import TrainingImage

PATCHES, IMAGES = 1, 11
"""Streams of random numbers of the stage on patches and of the stage on whole images."""
_ORDER, _COLOURS, _EXPERT = 2, 3, 7  # added to a stage's: the order of its images, their colours, whose map


def seeded(seed: int, stream: int, number: int) -> np.random.Generator:
    """Return a random generator that depends only on these three numbers."""
    return np.random.default_rng(np.random.SeedSequence((seed, stream, number)))


@dataclass(frozen=True)
class Variant:
    """One training image in other colours, equalized.

    Attributes
    ----------
    layers : Layers
        Layers of the whole square.
    box : Box
        Round the ROI.
    """

    layers: Layers
    box: Box


class DrawOrder:
    """The order in which images are drawn, from datasets that may differ in size.

    Draws come in rounds. In each round every dataset has its share of the draws, in random order; the images
    of a dataset are all drawn once before one is drawn again.

    Parameters
    ----------
    counts : tuple of int
        Images of each dataset; an image's number counts through all of them.
    weights : tuple of float
        Share of each dataset, in any unit; above 0.
    seed : int
        Seed of the order.
    """

    def __init__(self, counts: tuple[int, ...], weights: tuple[float, ...], seed: int) -> None:
        self._counts, self._seed = counts, seed
        self._starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(int)
        shares = np.array(weights) / sum(weights)
        length = max(sum(counts), math.ceil(1.0 / shares.min()))
        # Draws left over by rounding down go to the largest remainders.
        self._draws = np.floor(shares * length + 1e-9).astype(int)
        left = length - int(self._draws.sum())
        self._draws[np.argsort(self._draws - shares * length, kind="stable")[:left]] += 1
        self._length = length
        self._round: tuple[int, int, NDArray[np.intp]] | None = None

    def image(self, stream: int, number: int) -> int:
        """Return the number of the image drawn at this position of a stream."""
        turn, position = divmod(number, self._length)
        if self._round is None or self._round[:2] != (stream, turn):
            self._round = (stream, turn, self._drawn(stream, turn))
        return int(self._round[2][position])

    def _drawn(self, stream: int, turn: int) -> NDArray[np.intp]:
        drawn = []
        for dataset, (count, draws) in enumerate(zip(self._counts, self._draws, strict=True)):
            for place in range(turn * draws, (turn + 1) * draws):
                again, position = divmod(place, count)
                order = seeded(self._seed, stream + _ORDER, again * len(self._counts) + dataset)
                drawn.append(self._starts[dataset] + order.permutation(count)[position])
        shuffle = seeded(self._seed, stream + _ORDER + 4, turn)
        return np.asarray(shuffle.permutation(np.array(drawn, np.intp)))


@dataclass
class VariantMaker:
    """Makes variants; picklable, so that worker processes can use it.

    Attributes
    ----------
    images : list of TrainingImage
        Training images; those of a dataset are consecutive.
    weights : tuple of float
        Share of each dataset among the draws.
    colour : ColourJitter
        Strength and probability of the colour changes.
    preprocessing : Preprocessing
        Equalization of the images.
    seed : int
        Seed of the order and of the colours.
    """

    images: list[TrainingImage]
    weights: tuple[float, ...]
    colour: ColourJitter
    preprocessing: Preprocessing
    seed: int
    _order: DrawOrder = field(init=False)

    def __post_init__(self) -> None:
        names = list(dict.fromkeys(image.dataset for image in self.images))
        counts = tuple(sum(image.dataset == name for image in self.images) for name in names)
        weights = self.weights or (1.0,) * len(counts)
        if len(weights) != len(counts):
            raise OptionError(
                f"--weights {','.join(f'{weight:g}' for weight in weights)}: expected one number "
                f"for each dataset, of which there are {len(counts)}"
            )
        self._order = DrawOrder(counts, weights, self.seed)

    def __call__(self, stream: int, number: int) -> Variant:
        """Make the variant with this number."""
        source = self.images[self._order.image(stream, number)]
        image = jitter_colours(source.image, self.colour, seeded(self.seed, stream + _COLOURS, number))
        equalized = equalize(image, source.roi, self.preprocessing)
        roi = np.where(source.roi, np.uint8(255), np.uint8(0))
        return Variant(Layers(equalized, roi, self._truth(source, stream, number)), _box(source.roi))

    def _truth(self, source: TrainingImage, stream: int, number: int) -> NDArray[np.uint8]:
        """Return the map of one of the image's experts, each as often as the other."""
        if source.second is None or seeded(self.seed, stream + _EXPERT, number).random() < 0.5:
            return source.truth
        return source.second


def _box(roi: NDArray[np.bool_]) -> Box:
    rows, columns = np.flatnonzero(roi.any(axis=1)), np.flatnonzero(roi.any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
