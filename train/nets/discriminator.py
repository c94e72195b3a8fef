"""The discriminator: says whether a vessel map beside its image was drawn by an expert."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Shape of the discriminator.

    Parameters
    ----------
    widths : tuple of (int, int)
        Channels of the two convolutions of each block. Each block divides height and width by 4.
    """

    widths: tuple[tuple[int, int], ...] = ((32, 64), (128, 128), (256, 512))

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple((int(first), int(second)) for first, second in self.widths))


class Discriminator(nn.Module):
    """Strided blocks, global average pooling, one dense logit (figure 6 of the paper).

    Each block: convolution 3x3 stride 2 + BatchNorm + ReLU, convolution 3x3 + ReLU, 2x2 max-pooling.

    Parameters
    ----------
    config : DiscriminatorConfig
        The default takes 512x512 pixels to 8x8.
    """

    def __init__(self, config: DiscriminatorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or DiscriminatorConfig()
        blocks: list[nn.Module] = []
        channels = 2
        for first, second in config.widths:
            blocks += [
                nn.Conv2d(channels, first, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(first),
                nn.ReLU(),
                nn.Conv2d(first, second, 3, padding=1),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
            channels = second
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dense = nn.Linear(channels, 1)

    def forward(self, green: Tensor, vessels: Tensor) -> Tensor:
        """Logit that the map is an expert's.

        Parameters
        ----------
        green : (N, 1, H, W) float32
            Green channel of the equalized image, normalised as for the generator.
        vessels : (N, 1, H, W) float32
            Vessel map in [0, 1], 0 outside the retina: an expert's, or the generator's, regrouped.

        Returns
        -------
        (N,)
            Logits; sigmoid 1 = an expert's, 0 = generated.
        """
        x = _pair(green, vessels)  # (N, 2, H, W)
        x = self.blocks(x)  # (N, 512, H / 64, W / 64)
        x = self.pool(x).flatten(1)  # (N, 512)
        logit: Tensor = self.dense(x)  # (N, 1)
        return logit.squeeze(1)


def _pair(green: Tensor, vessels: Tensor) -> Tensor:
    if green.shape != vessels.shape or green.ndim != 4 or green.shape[1] != 1:
        raise ValueError(
            f"green has shape {tuple(green.shape)} and vessels {tuple(vessels.shape)}, "
            "expected (N, 1, H, W) for both"
        )
    return torch.cat([green, vessels], dim=1)
