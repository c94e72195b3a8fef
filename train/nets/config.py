"""The shapes of the nets. Options are checked against them, so that nothing here waits for torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from retinagan.runtime.errors import OptionError

DISCRIMINATOR_SIZE = 64
"""Height and width that the standard discriminator reduces to one pixel."""

MODELS = ("gan", "unet", "ru-net", "retina-gan")
"""The systems of the paper's first table, smallest first."""

STEMS = (1, 2, 4)
"""Values of `GeneratorConfig.stem`."""


@dataclass(frozen=True)
class GeneratorConfig:
    """Shape of the generator.

    Parameters
    ----------
    widths : tuple of int
        Channels of each scale, finest first. Each scale halves the height and width of the one before.
    recurrent : bool
        Residual units of recurrent layers (RU-Net) if true, else two plain convolutions (U-Net).
    steps : int
        Feedback steps of a recurrent layer (t in the paper). Unused without recurrence.
    layers : int
        Recurrent layers in one residual unit, at least 1. Unused without recurrence.
    attention : bool
        Multiply the second-last feature map by the retina's mask (equation 7 of the paper).
    stem : {1, 2, 4}
        Side in pixels of the blocks that the net takes in and gives out. Above 1 the finest feature map is
        coarser than the image: the first convolution takes blocks of stem x stem pixels, and the head gives
        one logit for each pixel of a block. The paper's net has 1.
    """

    widths: tuple[int, ...] = (16, 32, 64, 128)
    recurrent: bool = True
    steps: int = 2
    layers: int = 1
    attention: bool = True
    stem: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(int(width) for width in self.widths))
        if not self.widths or min(self.widths) < 1:
            raise OptionError(f"widths must hold at least one positive channel count, got {self.widths}")
        if self.steps < 1 or self.layers < 1:
            raise OptionError(
                f"steps and layers must be at least 1, got steps={self.steps}, layers={self.layers}"
            )
        if self.stem not in STEMS:
            raise OptionError(f"stem must be one of {', '.join(map(str, STEMS))}, got {self.stem}")

    def differing(self, wanted: GeneratorConfig) -> str:
        """Return how this shape differs from the one wanted, such as "steps 3, expected 2"."""
        names = (field.name for field in dataclasses.fields(self))
        pairs = [(name, getattr(self, name), getattr(wanted, name)) for name in names]
        return "; ".join(
            f"{name} {_in_words(mine)}, expected {_in_words(theirs)}"
            for name, mine, theirs in pairs
            if mine != theirs
        )

    @property
    def divisor(self) -> int:
        """Height and width must be multiples of this number."""
        return int(self.stem * 2 ** (len(self.widths) - 1))


def _in_words(value: tuple[int, ...] | int) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def generator_config(model: str) -> GeneratorConfig:
    """Return the shape of the generator of one of the paper's systems.

    Parameters
    ----------
    model : {"gan", "unet", "ru-net", "retina-gan"}
        "gan" and "unet" share the plain U-Net; the first is trained with a discriminator.

    Raises
    ------
    OptionError
        If `model` is none of these.
    """
    if model not in MODELS:
        raise OptionError(f"unknown model {model!r}: expected one of {', '.join(MODELS)}")
    return GeneratorConfig(recurrent=model in ("ru-net", "retina-gan"), attention=model == "retina-gan")
