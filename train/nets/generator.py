"""The generator: RU-Net with Retina-Attention, and the smaller nets that the paper compares it with.

A fundus image and the mask of its retina go in, one logit per pixel comes out. The net is fully
convolutional: height and width can be any multiples of `GeneratorConfig.divisor`. Every BatchNorm directly
follows a convolution, so that it folds exactly into that convolution at export.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from retinagan.train.nets.config import GeneratorConfig


class RecurrentLayer(nn.Module):
    """A recurrent convolutional layer (equations 4 and 5): o_0 = relu(F x), o_k = relu(F x + R o_{k-1}).

    F and R are 3x3 convolutions. R's weights are shared over time, its BatchNorms are not: the states of
    different steps are differently distributed, and shared statistics fit none of them at test time.
    """

    def __init__(self, channels: int, steps: int) -> None:
        super().__init__()
        self.input_convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.input_norm = nn.BatchNorm2d(channels)
        self.state_convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.state_norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(steps))

    def forward(self, x: Tensor) -> Tensor:
        """Map features (N, C, H, W) to features of the same shape."""
        drive: Tensor = self.input_norm(self.input_convolution(x))  # (N, C, H, W)
        state = functional.relu(drive)
        for norm in self.state_norms:
            state = functional.relu(drive + norm(self.state_convolution(state)))
        return state


class RecurrentBlock(nn.Module):
    """A residual unit of recurrent layers (equation 6): x + F(x), after a 1x1 convolution to its width.

    With a stem above 1, that convolution is of stem x stem with as large a stride: the same as one of 1x1
    behind a pixel-unshuffle, without its copy of the image.
    """

    def __init__(self, channels_in: int, channels: int, config: GeneratorConfig, stem: int = 1) -> None:
        super().__init__()
        self.projection = nn.Conv2d(channels_in, channels, stem, stride=stem)
        self.layers = nn.Sequential(*(RecurrentLayer(channels, config.steps) for _ in range(config.layers)))

    def forward(self, x: Tensor) -> Tensor:
        """Map features (N, channels_in, H, W) to (N, channels, H / stem, W / stem)."""
        x = self.projection(x)
        change: Tensor = self.layers(x)
        return x + change


class PlainBlock(nn.Module):
    """Two 3x3 convolutions, each with BatchNorm and ReLU: U-Net's block.

    With a stem above 1, the first is the same as one of 3x3 behind a pixel-unshuffle.
    """

    def __init__(self, channels_in: int, channels: int, stem: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels_in, channels, 3 * stem, stride=stem, padding=stem, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map features (N, channels_in, H, W) to (N, channels, H / stem, W / stem)."""
        features: Tensor = self.layers(x)
        return features


class UpConvolution(nn.Module):
    """A 3x3 transposed convolution of stride 2 with BatchNorm and ReLU: doubles height and width."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.convolution = nn.ConvTranspose2d(
            channels_in, channels, 3, stride=2, padding=1, output_padding=1, bias=False
        )
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (N, channels_in, H, W) to (N, channels, 2 H, 2 W)."""
        normalised: Tensor = self.norm(self.convolution(x))
        return functional.relu(normalised)


def _block(channels_in: int, channels: int, config: GeneratorConfig, stem: int = 1) -> nn.Module:
    if config.recurrent:
        return RecurrentBlock(channels_in, channels, config, stem)
    return PlainBlock(channels_in, channels, stem)


class Generator(nn.Module):
    """U-Net of recurrent residual units, its second-last feature map multiplied by the retina's mask.

    Parameters
    ----------
    config : GeneratorConfig
        Shape of the net; the default is the paper's Retina-GAN.
    """

    def __init__(self, config: GeneratorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or GeneratorConfig()
        inputs = (3, *config.widths)
        self.encoder = nn.ModuleList(
            _block(channels_in, channels, config, 1 if depth else config.stem)
            for depth, (channels_in, channels) in enumerate(zip(inputs, config.widths, strict=False))
        )
        rising = list(zip(config.widths[:0:-1], config.widths[-2::-1], strict=True))
        self.up = nn.ModuleList(UpConvolution(channels_in, channels) for channels_in, channels in rising)
        self.decoder = nn.ModuleList(_block(2 * channels, channels, config) for _, channels in rising)
        self.head = nn.Conv2d(config.widths[0], config.stem**2, 1)
        # One pixel in eight is vessel: start near that share.
        self.head.bias = nn.Parameter(torch.full((config.stem**2,), -2.0))

    def forward(self, image: Tensor, roi: Tensor) -> Tensor:
        """Return vessel logits of normalised images.

        Parameters
        ----------
        image : (N, 3, H, W) float32
            (rgb / 255 - mean) / std of the equalized image.
        roi : (N, 1, H, W) float32
            1 inside the retina, 0 outside.

        Returns
        -------
        (N, 1, H, W)
            Logits; their sigmoid is the probability of a vessel. Meaningless outside the retina.

        Raises
        ------
        ValueError
            If the shapes are wrong, or `config.divisor` does not divide H and W.
        """
        self._check(image, roi)
        stem = self.config.stem
        skips = []
        x = image  # (N, 3, H, W); below, h = H / stem and w = W / stem
        for depth, block in enumerate(self.encoder):
            if depth:
                x = functional.max_pool2d(x, 2)  # (N, widths[depth - 1], h / 2^depth, w / 2^depth)
            x = block(x)  # (N, widths[depth], h / 2^depth, w / 2^depth)
            skips.append(x)
        skips.pop()
        for up, block in zip(self.up, self.decoder, strict=True):
            x = torch.cat([up(x), skips.pop()], dim=1)  # (N, 2 C, 2 h', 2 w')
            x = block(x)  # (N, C, 2 h', 2 w')
        if self.config.attention:
            if stem > 1:  # a block with any pixel of the retina must be computed
                roi = functional.max_pool2d(roi, stem)  # (N, 1, h, w)
            x = x * roi  # (N, widths[0], h, w): Retina-Attention, equation 7
        logits: Tensor = self.head(x)  # (N, stem^2, h, w)
        if stem > 1:
            logits = functional.pixel_shuffle(logits, stem)  # (N, 1, H, W)
        return logits

    def _check(self, image: Tensor, roi: Tensor) -> None:
        if torch.compiler.is_compiling():
            return
        if image.ndim != 4 or image.shape[1] != 3:
            raise ValueError(f"image has shape {tuple(image.shape)}, expected (N, 3, H, W)")
        if roi.shape != (image.shape[0], 1, *image.shape[2:]):
            raise ValueError(
                f"roi has shape {tuple(roi.shape)}, "
                f"expected {(image.shape[0], 1, *image.shape[2:])} like the image"
            )
        divisor = self.config.divisor
        height, width = image.shape[2:]
        if height % divisor or width % divisor:
            padded = (-(-height // divisor) * divisor, -(-width // divisor) * divisor)
            raise ValueError(
                f"image is {height}x{width} pixels (HxW), but both must be multiples of {divisor}: "
                f"pad it to {padded[0]}x{padded[1]}"
            )


def parameter_count(module: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
