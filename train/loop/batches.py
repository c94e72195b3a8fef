"""Training batches as pure functions of (seed, iteration), so that a resumed run sees the same ones."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from retinagan.runtime.model.spec import NetworkInput
from retinagan.runtime.steps.equalize import equalize
from retinagan.train.data.augmentation import (
    colour_pipeline,
    cut_patch,
    flip_and_turn,
    jitter_colours,
)
from retinagan.train.data.images import TrainingImage
from retinagan.train.loop.options import TrainingOptions

# Streams of random numbers: a stage's geometry, and added to it, the order of its images and their colours.
_PATCHES, _IMAGES, _ORDER, _COLOURS = 1, 11, 2, 3


@dataclass(frozen=True)
class Batch:
    """What one step learns from.

    Attributes
    ----------
    image : (N, 3, h, w) float32
        Equalized and normalised.
    roi : (N, 1, h, w) float32
        0 or 1.
    truth : (N, 1, h, w) float32
        Soft vessel map in [0, 1], 0 outside the ROI.
    """

    image: Tensor
    roi: Tensor
    truth: Tensor

    @property
    def green(self) -> Tensor:
        """The image's green channel, (N, 1, h, w) float32: what the discriminator sees of it."""
        return self.image[:, 1:2]


class Batches:
    """Draws batches from the training images.

    Variant k of the images is one image with jittered colours, equalized; which image and what jitter
    depend on the seed and k alone. Patch iteration i cuts its patches from variants i to i + pool - 1, so
    each iteration costs one new variant, and a batch still mixes many images.

    Parameters
    ----------
    images : list of TrainingImage
        At least one.
    options : TrainingOptions
        Augmentation, patch, batch, pool and seed.
    network_input : NetworkInput
        Normalisation of the generator's input.
    """

    def __init__(
        self, images: list[TrainingImage], options: TrainingOptions, network_input: NetworkInput
    ) -> None:
        self._images = images
        self._options = options
        self._mean = torch.tensor(network_input.mean).view(3, 1, 1)
        self._std = torch.tensor(network_input.std).view(3, 1, 1)
        self._colours = colour_pipeline(options.colour)
        self._boxes = [_box(image.roi) for image in images]
        self._pool: OrderedDict[tuple[int, int], tuple[Tensor, Tensor]] = OrderedDict()

    def patches(self, iteration: int) -> Batch:
        """Batch of the patch stage: `batch` patches, each from another variant as far as the pool goes."""
        options = self._options
        pool = [self._variant(_PATCHES, iteration + k) for k in range(options.pool)]
        with _Seeded(options.seed, _PATCHES, iteration):
            order = torch.randperm(options.pool).tolist()
            cuts = []
            for k in range(options.batch):
                layers, box = pool[order[k % options.pool]]
                cuts.append(cut_patch(layers, box, options.patch, options.geometry))
        return self._batch(torch.stack(cuts))

    def images(self, iteration: int) -> Batch:
        """Batch of the adversarial stage: `images` whole images at working size, flipped and turned."""
        options = self._options
        first = iteration * options.images
        variants = [self._variant(_IMAGES, first + k)[0] for k in range(options.images)]
        with _Seeded(options.seed, _IMAGES, iteration):
            return self._batch(torch.stack([flip_and_turn(layers) for layers in variants]))

    def _batch(self, layers: Tensor) -> Batch:
        image = (layers[:, :3] - self._mean) / self._std
        return Batch(image, layers[:, 3:4].contiguous(), layers[:, 4:5].contiguous())

    def _variant(self, stage: int, number: int) -> tuple[Tensor, Tensor]:
        key = (stage, number)
        if key not in self._pool:
            self._pool[key] = self._make_variant(stage, number)
            while len(self._pool) > self._options.pool:
                self._pool.popitem(last=False)
        return self._pool[key]

    def _make_variant(self, stage: int, number: int) -> tuple[Tensor, Tensor]:
        epoch, position = divmod(number, len(self._images))
        with _Seeded(self._options.seed, stage + _ORDER, epoch):
            chosen = int(torch.randperm(len(self._images))[position])
        source = self._images[chosen]
        with _Seeded(self._options.seed, stage + _COLOURS, number):
            image = jitter_colours(source.image, self._colours)
        equalized = equalize(image, source.roi, self._options.preprocessing)
        layers = np.concatenate(
            [
                equalized.astype(np.float32) / 255.0,
                source.roi[..., None].astype(np.float32),
                source.truth[..., None],
            ],
            axis=2,
        )
        return torch.from_numpy(np.ascontiguousarray(layers.transpose(2, 0, 1))), self._boxes[chosen]


class _Seeded:
    """Run a block with the global torch generator seeded by three numbers, then put its state back."""

    def __init__(self, seed: int, stream: int, number: int) -> None:
        self._seed = int(np.random.SeedSequence((seed, stream, number)).generate_state(1, np.uint64)[0] >> 1)

    def __enter__(self) -> None:
        self._state = torch.random.get_rng_state()
        torch.manual_seed(self._seed)

    def __exit__(self, *_: object) -> None:
        torch.random.set_rng_state(self._state)


def _box(roi: NDArray[np.bool_]) -> Tensor:
    rows, columns = np.flatnonzero(roi.any(axis=1)), np.flatnonzero(roi.any(axis=0))
    return torch.tensor([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1])


def split(images: Tensor, side: int) -> Tensor:
    """Cut (N, C, S, S) into patches (N * (S / side)^2, C, side, side), row by row."""
    count, channels, size, _ = images.shape
    n = size // side
    grid = images.reshape(count, channels, n, side, n, side).permute(0, 2, 4, 1, 3, 5)
    return grid.reshape(count * n * n, channels, side, side)


def regroup(patches: Tensor, size: int) -> Tensor:
    """Put patches from `split` back together: (N, C, size, size)."""
    _, channels, side, _ = patches.shape
    n = size // side
    grid = patches.reshape(-1, n, n, channels, side, side).permute(0, 3, 1, 4, 2, 5)
    return grid.reshape(-1, channels, size, size)
