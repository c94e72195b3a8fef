"""Augmentation: colour before equalization (it imitates cameras), geometry after (it imitates eyes).

Each function draws from the global torch generator, so that a caller fixes the outcome by a seed.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import kornia.augmentation
import kornia.geometry.transform
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class ColourJitter:
    """How much the colours of a training image vary before equalization.

    Parameters
    ----------
    probability : float
        Of each kind of change, apart from the others.
    brightness, contrast, saturation : float
        Factors drawn from [1 - value, 1 + value].
    shift : float
        Added to each channel by itself, drawn from [-value, value] of the full range.
    gamma : (float, float)
        Range of the exponent.
    noise : float
        Standard deviation of Gaussian noise, of the full range.
    blur : float
        Largest sigma of a Gaussian blur, in pixels at working size.
    illumination : float
        Largest brightness that a slope across the image, and a round spot in it, add or take, of the full
        range.
    jpeg : float
        Lowest quality of a JPEG compression, up to 100; 100 leaves it out.
    """

    probability: float = 0.5
    brightness: float = 0.25
    contrast: float = 0.3
    saturation: float = 0.3
    shift: float = 0.06
    gamma: tuple[float, float] = (0.65, 1.55)
    noise: float = 0.015
    blur: float = 1.0
    illumination: float = 0.2
    jpeg: float = 40.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "gamma", (float(self.gamma[0]), float(self.gamma[1])))

    def scaled(self, factor: float) -> ColourJitter:
        """Give a jitter of that many times the strength, as often; 0 changes nothing, 1 is this one.

        Raises
        ------
        ValueError
            If the factor is not in [0, 3].
        """
        if not 0.0 <= factor <= 3.0:
            raise ValueError(f"colour jitter {factor:g}: expected 0 (none) to 3 times the usual strength")
        if factor == 1.0:
            return self
        amounts = ("brightness", "contrast", "saturation", "shift", "noise", "blur", "illumination")
        return dataclasses.replace(
            self,
            **{name: factor * getattr(self, name) for name in amounts},
            gamma=(self.gamma[0] ** factor, self.gamma[1] ** factor),
            jpeg=max(100.0 - factor * (100.0 - self.jpeg), 5.0),
        )


@dataclass(frozen=True)
class GeometricJitter:
    """How patches are cut from an equalized image.

    Parameters
    ----------
    warped : float
        Share of the patches that are rotated by any angle and scaled. The others are cut without
        interpolation and only flipped and turned by quarters: interpolation blurs, and a net trained on
        nothing but blurred patches ranks the pixels of sharp ones worse.
    scale : (float, float)
        Range of the magnification of warped patches.
    """

    warped: float = 0.4
    scale: tuple[float, float] = (0.75, 1.6)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", (float(self.scale[0]), float(self.scale[1])))
        if not 0.0 <= self.warped <= 1.0:
            raise ValueError(f"share of warped patches {self.warped:g}: expected 0 to 1")
        if not 0.1 <= self.scale[0] <= self.scale[1] <= 10.0:
            raise ValueError(
                f"scale {self.scale[0]:g},{self.scale[1]:g}: expected the smallest and the largest "
                "magnification, 0.1 to 10, such as 0.75,1.6"
            )


def colour_pipeline(jitter: ColourJitter) -> torch.nn.Sequential:
    """Chain of kornia's colour augmentations for (N, 3, H, W) float images in [0, 1]."""
    chance, shift, gain = jitter.probability, jitter.shift, (0.0, max(jitter.illumination, 1e-6))
    changes = [
        kornia.augmentation.ColorJitter(jitter.brightness, jitter.contrast, jitter.saturation, 0.0, p=chance),
        kornia.augmentation.RandomRGBShift(shift, shift, shift, p=chance),
        kornia.augmentation.RandomGamma(jitter.gamma, p=chance),
        kornia.augmentation.RandomLinearIllumination(gain, p=chance / 2),
        kornia.augmentation.RandomGaussianIllumination(gain, p=chance / 2),
        kornia.augmentation.RandomGaussianBlur((5, 5), (0.1, max(jitter.blur, 0.1)), p=chance / 2),
        kornia.augmentation.RandomGaussianNoise(std=jitter.noise, p=chance),
    ]
    if jitter.jpeg < 100.0:
        changes.append(kornia.augmentation.RandomJPEG((jitter.jpeg, 100.0), p=chance / 2))
    return torch.nn.Sequential(*changes)


def jitter_colours(image: NDArray[np.uint8], pipeline: torch.nn.Module) -> NDArray[np.uint8]:
    """Change the colours of one (H, W, 3) uint8 RGB image; same shape and dtype."""
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255.0
    changed = pipeline(pixels).clamp(0.0, 1.0) * 255.0
    result: NDArray[np.uint8] = changed[0].permute(1, 2, 0).round().to(torch.uint8).contiguous().numpy()
    return result


def cut_patch(layers: Tensor, box: Tensor, side: int, jitter: GeometricJitter) -> Tensor:
    """Cut one randomly placed patch, flipped and turned or warped.

    Parameters
    ----------
    layers : (5, S, S) float32
        Red, green, blue, ROI, truth; all 0 outside the retina.
    box : (4,) int
        Top, left, bottom, right of the box round the ROI, the last two exclusive.
    side : int
        Height and width of the patch.

    Returns
    -------
    (5, side, side) float32
        Image layers in [0, 1]; ROI 0 or 1; truth soft in [0, 1].
    """
    for _ in range(20):
        warped = bool(torch.rand(()) < jitter.warped)
        patch = _warp(layers, box, side, jitter) if warped else _window(layers, box, side)
        if patch[3].any():
            break  # almost always the first: only the box's corners miss a disc
    return flip_and_turn(patch)


def flip_and_turn(layers: Tensor) -> Tensor:
    """Flip and turn (C, S, S) by quarters at random."""
    if torch.rand(()) < 0.5:
        layers = layers.flip(-1)
    return layers.rot90(int(torch.randint(4, ())), dims=(-2, -1))


def _window(layers: Tensor, box: Tensor, side: int) -> Tensor:
    size = layers.shape[-1]
    corner = []
    for low, high in ((box[0], box[2]), (box[1], box[3])):
        last = max(int(high) - side, int(low))
        start = int(torch.randint(int(low), last + 1, ()))
        corner.append(min(start, size - side))
    top, left = corner
    return layers[:, top : top + side, left : left + side]


def _warp(layers: Tensor, box: Tensor, side: int, jitter: GeometricJitter) -> Tensor:
    angle = float(torch.rand(())) * 2.0 * math.pi
    low, high = (math.log(value) for value in jitter.scale)
    scale = math.exp(low + (high - low) * float(torch.rand(())))
    # The patch's centre may lie wherever an unwarped patch's may.
    margin = side / 2.0
    centre = [
        float(start + margin + max(float(stop - start) - side, 0.0) * float(torch.rand(())))
        for start, stop in ((box[1], box[3]), (box[0], box[2]))
    ]
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    offset_x = (side - 1) / 2.0 - cosine * centre[0] + sine * centre[1]
    offset_y = (side - 1) / 2.0 - sine * centre[0] - cosine * centre[1]
    matrix = torch.tensor([[[cosine, -sine, offset_x], [sine, cosine, offset_y]]])
    warp = kornia.geometry.transform.warp_affine
    # Bicubic keeps thin vessels' contrast; the maps stay bilinear so that they do not overshoot.
    image = warp(layers[None, :3], matrix, (side, side), mode="bicubic")[0].clamp(0.0, 1.0)
    maps = warp(layers[None, 3:], matrix, (side, side), mode="bilinear")[0]
    roi = (maps[:1] > 0.99).float()  # a pixel mixed with the surround is no retina
    return torch.cat([image * roi, roi, maps[1:] * roi])
