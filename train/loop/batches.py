"""Training batches as pure functions of (seed, iteration), so that a resumed run sees the same ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from retinagan.runtime.model.parameters import NetworkInput
from retinagan.runtime.steps.tensors import image_tensor
from retinagan.train.data.ahead import VariantSource
from retinagan.train.data.geometric_jitter import Layers, cut_patch, flip_and_turn, window
from retinagan.train.data.images import TrainingImage
from retinagan.train.data.variants import IMAGES, PATCHES, VariantMaker, seeded
from retinagan.train.loop.options import TrainingOptions


@dataclass(frozen=True)
class Batch:
    """The data of one training step.

    Attributes
    ----------
    image : (N, 3, h, w) float32
        Equalized and normalised.
    roi : (N, 1, h, w) float32
        1 inside the retina, 0 outside.
    truth : (N, 1, h, w) float32
        Soft vessel map in [0, 1], 0 outside the ROI.
    """

    image: Tensor
    roi: Tensor
    truth: Tensor

    @property
    def green(self) -> Tensor:
        """The image's green channel, (N, 1, h, w) float32: the image input of the discriminator."""
        return self.image[:, 1:2]


class Batches:
    """Draws batches from the training images.

    Variant k of the images is one image with jittered colours, equalized; which image and what jitter
    depend on the seed and k alone. The pool of patch iteration i are the variants from i // reuse on, so that
    one new variant serves `reuse` iterations, and a batch still mixes many images.

    Parameters
    ----------
    images : list of TrainingImage
        At least one; the images of a dataset are consecutive.
    options : TrainingOptions
        Augmentation, patch, batch, pool and seed.
    network_input : NetworkInput
        Normalisation of the generator's input.
    workers : int
        Processes that prepare variants ahead of need; the batches do not depend on them.
    """

    def __init__(
        self,
        images: list[TrainingImage],
        options: TrainingOptions,
        network_input: NetworkInput,
        workers: int = 0,
    ) -> None:
        self._options, self._network_input = options, network_input
        maker = VariantMaker(images, options.weights, options.colour, options.preprocessing, options.seed)
        self._variants = VariantSource(maker, workers)
        smallest = min(len(image.roi) for image in images)
        self._whole_side = -(-smallest // options.patch) * options.patch

    def patches(self, iteration: int) -> Batch:
        """Return a batch of the patch stage: `batch` patches, from different variants as far as there are."""
        options = self._options
        pool = self._variants.window(PATCHES, iteration // options.reuse, options.pool)
        random = seeded(options.seed, PATCHES, iteration)
        order = random.permutation(options.pool)
        cuts = []
        for k in range(options.batch):
            variant = pool[order[k % options.pool]]
            cuts.append(cut_patch(variant.layers, variant.box, options.patch, options.geometry, random))
        return self._batch(cuts)

    def images(self, iteration: int) -> Batch:
        """Return a batch of the adversarial stage: `image_batch` whole images, flipped and turned.

        All have the size of the smallest square, padded to a multiple of the patch. A larger square, as of a
        camera of a wider angle, is cropped at random.
        """
        options, size = self._options, self._options.image_batch
        random = seeded(options.seed, IMAGES, iteration)
        variants = self._variants.window(IMAGES, iteration * size, size)
        windows = [window(one.layers, one.box, self._whole_side, random) for one in variants]
        return self._batch([flip_and_turn(layers, random) for layers in windows])

    def close(self) -> None:
        """End the processes that make variants."""
        self._variants.close()

    def _batch(self, cuts: list[Layers]) -> Batch:
        image = image_tensor(np.stack([layers.image for layers in cuts]), self._network_input)
        roi, truth = (
            torch.from_numpy(np.stack(maps)).float().div_(255.0).unsqueeze_(1)
            for maps in ([layers.roi for layers in cuts], [layers.truth for layers in cuts])
        )
        return Batch(torch.from_numpy(image), roi, truth)


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
