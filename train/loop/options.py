"""All options of a training run, as one frozen dataclass that is kept in its checkpoints."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from retinagan.runtime.errors import OptionError
from retinagan.runtime.model.parameters import Preprocessing
from retinagan.train.data.colour_jitter import ColourJitter
from retinagan.train.data.geometric_jitter import GeometricJitter
from retinagan.train.data.matching import EXPERTS
from retinagan.train.loop.devices import PRECISIONS
from retinagan.train.nets.config import DISCRIMINATOR_SIZE, MODELS, GeneratorConfig, generator_config

MOST_AT_ONCE = 4096
"""Largest number of patches or images in a batch; more would fill the memory."""


@dataclass(frozen=True)
class StageOptions:
    """One stage of training.

    Parameters
    ----------
    iterations : int
        Optimizer steps of the generator in this stage; 0 leaves the stage out.
    learning_rate, discriminator_learning_rate : float
        Peak rates. The patch stage uses only the first.
    pixel_weight, dice_weight, adversarial_weight : float
        Weights of the generator's loss terms. The patch stage has no adversarial term.
    """

    iterations: int
    learning_rate: float
    discriminator_learning_rate: float = 5e-4
    pixel_weight: float = 1.0
    dice_weight: float = 0.0
    adversarial_weight: float = 0.0


@dataclass(frozen=True)
class TrainingOptions:
    """A whole run: patches first (pixel loss alone), then regrouped images with the discriminator.

    Parameters
    ----------
    model : {"gan", "unet", "ru-net", "retina-gan"}
        System of the paper. "unet" and "ru-net" have no discriminator: their second stage, if any, trains on
        whole images by the pixel loss alone, and its adversarial weight must be 0.
    widths, steps, layers, stem
        Shape of the generator, as in `GeneratorConfig`.
    patch : int
        Side of a training patch in pixels at working size.
    batch : int
        Patches in a batch of the patch stage.
    image_batch : int
        Regrouped images in a batch of the adversarial stage.
    pool : int
        Jittered and equalized images held ready.
    reuse : int
        Patch iterations between two new draws of one of them.
    weights : tuple of float
        Share of each dataset among the images drawn, in any unit; empty draws them evenly by dataset.
    experts : {"first", "second", "both"}
        Whose maps are learned from. "both" takes one of the two each time that an image is drawn, and the
        first expert's of images that have no other.
    validation : int
        Images of each dataset that are held out, to score the run while it continues.
    ema : float
        Decay of the running average of the generator's weights, which is released; 0 turns it off.
    precision : {"fp32", "bf16", "fp16"}
        Number format of convolutions under torch's autocast.
    accumulate : int
        Parts that a batch is cut into, of whatever stage. All parts' gradients make one step, and BatchNorm
        normalises each part by itself; the processes of a training share the parts.
    init : str
        Checkpoint to start from; random weights if empty. A stage on whole images keeps its BatchNorm
        statistics, or those found on patches.
    teacher : str
        Checkpoint whose probabilities are mixed with the experts' maps in the patch stage; none if empty.
    teacher_weight : float
        Weight of the teacher in the mixed maps, 0 to 1.
    """

    model: str = "retina-gan"
    widths: tuple[int, ...] = GeneratorConfig.widths
    steps: int = GeneratorConfig.steps
    layers: int = GeneratorConfig.layers
    stem: int = GeneratorConfig.stem
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    patches: StageOptions = StageOptions(iterations=4000, learning_rate=2e-3)
    adversarial: StageOptions = StageOptions(iterations=0, learning_rate=5e-4, adversarial_weight=0.05)
    patch: int = 128
    batch: int = 16
    image_batch: int = 1
    pool: int = 16
    reuse: int = 4
    weights: tuple[float, ...] = ()
    experts: str = "first"
    validation: int = 0
    weight_decay: float = 0.01
    ema: float = 0.998
    precision: str = "fp32"
    accumulate: int = 1
    seed: int = 0
    init: str = ""
    teacher: str = ""
    teacher_weight: float = 0.7
    colour: ColourJitter = field(default_factory=ColourJitter)
    geometry: GeometricJitter = field(default_factory=GeometricJitter)

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise OptionError(f"unknown model {self.model!r}: expected one of {', '.join(MODELS)}")
        object.__setattr__(self, "widths", tuple(self.widths))
        object.__setattr__(self, "weights", tuple(float(weight) for weight in self.weights))
        self._check_sizes()
        if min(self.patches.iterations, self.adversarial.iterations) < 0:
            raise OptionError(
                f"{self.patches.iterations} iterations on patches and {self.adversarial.iterations} "
                "adversarial ones: expected 0 or more of each"
            )
        if self.patches.iterations + self.adversarial.iterations < 1:
            raise OptionError("nothing to train: both stages have 0 iterations")
        if self.adversarial.iterations and self.adversarial.adversarial_weight and not self.has_discriminator:
            raise OptionError(
                f"{self.model} has no discriminator: choose gan or retina-gan, or give "
                "--adversarial-weight 0, which trains it on the same whole images by the pixel loss alone"
            )
        if not all(0.0 < weight < math.inf for weight in self.weights):
            told = ",".join(f"{weight:g}" for weight in self.weights)
            raise OptionError(f"--weights {told}: expected numbers above 0, such as 1,1,2")
        if self.experts not in EXPERTS:
            raise OptionError(f"--experts {self.experts}: expected one of {', '.join(EXPERTS)}")
        for flag, count in (
            ("--batch", self.batch),
            ("--image-batch", self.image_batch),
            ("--reuse", self.reuse),
            ("pool", self.pool),
        ):
            if not 1 <= count <= MOST_AT_ONCE:
                raise OptionError(f"{flag} {count}: expected 1 to {MOST_AT_ONCE}")
        if not 0.0 <= self.ema < 1.0:
            raise OptionError(f"--ema {self.ema}: expected 0 (none) to below 1")
        if self.precision not in PRECISIONS:
            raise OptionError(
                f"unknown precision {self.precision!r}: expected one of {', '.join(PRECISIONS)}"
            )
        if not 0.0 <= self.teacher_weight <= 1.0:
            raise OptionError(f"--teacher-weight {self.teacher_weight}: expected 0 to 1")
        self._check_parts()

    def _check_sizes(self) -> None:
        before, divisor, patch = self.preprocessing, self.generator.divisor, self.patch
        size = before.working_size
        if size is None and before.size_multiple % divisor:
            raise OptionError(
                f"squares of multiples of {before.size_multiple} pixels: the net takes multiples of {divisor}"
            )
        if size is not None and size % divisor:
            nearest = max(divisor, size - size % divisor)
            raise OptionError(f"--working-size {size}: expected a multiple of {divisor}, such as {nearest}")
        if patch < 1 or patch % divisor:
            nearest = max(divisor, round(patch / divisor) * divisor)
            raise OptionError(
                f"patches of {patch} pixels: expected a multiple of {divisor}, such as --patch {nearest}"
            )
        if size is not None and patch > size:
            raise OptionError(f"patches of {patch} pixels: the limit is the working size of {size} pixels")
        if not self.adversarial.iterations:
            return
        if size is not None and size % patch:
            fitting = [side for side in range(divisor, size + 1, divisor) if size % side == 0]
            nearest = min(fitting, key=lambda side: abs(side - patch))
            raise OptionError(
                f"patches of {patch} pixels: whole images, which the second stage takes, are regrouped from "
                f"patches that divide the working size of {size} pixels, such as --patch {nearest}"
            )
        if self.has_discriminator and (size or DISCRIMINATOR_SIZE) < DISCRIMINATOR_SIZE:
            raise OptionError(
                f"working size {size}: the discriminator needs at least {DISCRIMINATOR_SIZE} pixels a side"
            )

    def _check_parts(self) -> None:
        for flag, count, stage in (
            ("--batch", self.batch, self.patches),
            ("--image-batch", self.image_batch, self.adversarial),
        ):
            if stage.iterations and (self.accumulate < 1 or count % self.accumulate):
                raise OptionError(
                    f"--accumulate {self.accumulate}: expected a number that divides {flag} {count}, "
                    "so that all parts of a batch have one size"
                )

    @property
    def generator(self) -> GeneratorConfig:
        """Shape of the generator to train."""
        system = generator_config(self.model)
        return dataclasses.replace(
            system, widths=self.widths, steps=self.steps, layers=self.layers, stem=self.stem
        )

    @property
    def has_discriminator(self) -> bool:
        """Whether this system is trained against a discriminator."""
        return self.model in ("gan", "retina-gan")

    @property
    def iterations(self) -> int:
        """Iterations of both stages together."""
        return self.patches.iterations + self.adversarial.iterations

    def to_plain(self) -> dict[str, Any]:
        """Return nested dicts of plain types, for a checkpoint or JSON."""
        plain = dataclasses.asdict(self)
        plain["widths"], plain["weights"] = list(self.widths), list(self.weights)
        plain["colour"]["gamma"] = list(self.colour.gamma)
        plain["geometry"]["scale"] = list(self.geometry.scale)
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> TrainingOptions:
        """Read what `to_plain` wrote.

        Raises
        ------
        ValueError
            If an earlier version wrote it, which drew other patches from the same seed.
        """
        values = dict(plain)
        if "reuse" not in values:
            raise ValueError("its images were jittered in another way")
        return cls(
            **{
                **values,
                "preprocessing": Preprocessing(**values["preprocessing"]),
                "patches": StageOptions(**values["patches"]),
                "adversarial": StageOptions(**values["adversarial"]),
                "colour": ColourJitter(**values["colour"]),
                "geometry": GeometricJitter(**values["geometry"]),
            }
        )
