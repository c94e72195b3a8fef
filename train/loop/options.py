"""Everything that a training run is told, as one frozen dataclass that is written into its checkpoints."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from retinagan.runtime.model.spec import Preprocessing
from retinagan.train.data.augmentation import ColourJitter, GeometricJitter
from retinagan.train.loop.devices import PRECISIONS
from retinagan.train.nets.discriminator import SMALLEST as DISCRIMINATOR_SIZE
from retinagan.train.nets.generator import MODELS, GeneratorConfig, generator_config

MOST_AT_ONCE = 4096
"""Patches or images in a batch; more than this is a slip, and would fill the memory unstoppably."""


@dataclass(frozen=True)
class StageOptions:
    """One stage of training.

    Parameters
    ----------
    iterations : int
        Optimizer steps of the generator in this stage; 0 leaves the stage out.
    learning_rate, discriminator_learning_rate : float
        Peak rates. The patch stage uses the first alone.
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
        System of the paper. "unet" and "ru-net" have no discriminator: their adversarial stage, if any, is
        one on whole images by the pixel loss alone, and its adversarial weight is 0.
    widths, steps, layers
        Shape of the generator, as in `GeneratorConfig`.
    patch : int
        Side of a training patch in pixels at working size.
    batch : int
        Patches in a batch of the patch stage.
    images : int
        Regrouped images in a batch of the adversarial stage.
    pool : int
        Jittered and equalized images held ready; one of them is redrawn at each patch iteration.
    validation : int
        Training images held out, by image, to score the run while it goes on.
    ema : float
        Decay of the running average of the generator's weights, which is what is kept; 0 turns it off.
    precision : {"fp32", "bf16", "fp16"}
        Number format of convolutions, where torch's autocast lowers it.
    accumulate : int
        Parts that a batch is cut into, of whatever stage. All parts' gradients make one step, and BatchNorm
        normalises each part by itself; the processes of a training share the parts.
    init : str
        Checkpoint to start from; random weights if empty. Its BatchNorm statistics stay in a stage on whole
        images, as do those that patches have found.
    teacher : str
        Checkpoint whose probabilities are learned from beside the experts' maps, in the patch stage.
    teacher_weight : float
        Share of the teacher in what is learned, 0 to 1.
    """

    model: str = "retina-gan"
    widths: tuple[int, ...] = GeneratorConfig.widths
    steps: int = GeneratorConfig.steps
    layers: int = GeneratorConfig.layers
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    patches: StageOptions = StageOptions(iterations=4000, learning_rate=2e-3)
    adversarial: StageOptions = StageOptions(iterations=0, learning_rate=5e-4, adversarial_weight=0.05)
    patch: int = 128
    batch: int = 16
    images: int = 1
    pool: int = 16
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
            raise ValueError(f"unknown model {self.model!r}: expected one of {', '.join(MODELS)}")
        object.__setattr__(self, "widths", tuple(self.widths))
        size, divisor = self.preprocessing.fixed_size, self.generator.divisor
        if size % divisor:
            nearest = max(divisor, size - size % divisor)
            raise ValueError(f"--working-size {size}: expected a multiple of {divisor}, such as {nearest}")
        if self.patch < 1 or size % self.patch or self.patch % divisor:
            fitting = [side for side in range(divisor, size + 1, divisor) if size % side == 0]
            wanted = self.patch if self.patch > 0 else size // 4
            nearest = min(fitting, key=lambda side: abs(side - wanted))
            raise ValueError(
                f"patches of {self.patch} pixels: expected a multiple of {divisor} "
                f"that divides the working size of {size} pixels, such as --patch {nearest}"
            )
        if min(self.patches.iterations, self.adversarial.iterations) < 0:
            raise ValueError(
                f"{self.patches.iterations} iterations on patches and {self.adversarial.iterations} "
                "adversarial ones: expected 0 or more of each"
            )
        if self.patches.iterations + self.adversarial.iterations < 1:
            raise ValueError("nothing to train: both stages have 0 iterations")
        if self.adversarial.iterations and self.adversarial.adversarial_weight and not self.has_discriminator:
            raise ValueError(
                f"{self.model} has no discriminator: choose gan or retina-gan, or give "
                "--adversarial-weight 0, which trains it on the same whole images by the pixel loss alone"
            )
        if self.adversarial.iterations and self.has_discriminator and size < DISCRIMINATOR_SIZE:
            raise ValueError(
                f"working size {size}: the discriminator needs at least {DISCRIMINATOR_SIZE} pixels a side"
            )
        for flag, count in (("--batch", self.batch), ("--images", self.images), ("pool", self.pool)):
            if not 1 <= count <= MOST_AT_ONCE:
                raise ValueError(f"{flag} {count}: expected 1 to {MOST_AT_ONCE}")
        if not 0.0 <= self.ema < 1.0:
            raise ValueError(f"--ema {self.ema}: expected 0 (none) to below 1")
        if self.precision not in PRECISIONS:
            raise ValueError(f"unknown precision {self.precision!r}: expected one of {', '.join(PRECISIONS)}")
        if not 0.0 <= self.teacher_weight <= 1.0:
            raise ValueError(f"--teacher-weight {self.teacher_weight}: expected 0 to 1")
        self._check_parts()

    def _check_parts(self) -> None:
        for flag, count, stage in (
            ("--batch", self.batch, self.patches),
            ("--images", self.images, self.adversarial),
        ):
            if stage.iterations and (self.accumulate < 1 or count % self.accumulate):
                raise ValueError(
                    f"--accumulate {self.accumulate}: expected a number that divides {flag} {count}, "
                    "so that all parts of a batch are alike"
                )

    @property
    def generator(self) -> GeneratorConfig:
        """Shape of the generator to train."""
        system = generator_config(self.model)
        return dataclasses.replace(system, widths=self.widths, steps=self.steps, layers=self.layers)

    @property
    def has_discriminator(self) -> bool:
        """Whether this system is trained against a discriminator."""
        return self.model in ("gan", "retina-gan")

    @property
    def iterations(self) -> int:
        """Iterations of both stages together."""
        return self.patches.iterations + self.adversarial.iterations

    def to_plain(self) -> dict[str, Any]:
        """Nested dicts of plain types, for a checkpoint or JSON."""
        plain = dataclasses.asdict(self)
        plain["widths"] = list(self.widths)
        plain["colour"]["gamma"] = list(self.colour.gamma)
        plain["geometry"]["scale"] = list(self.geometry.scale)
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> TrainingOptions:
        """Read what `to_plain` wrote, of this version or an earlier one."""
        values = dict(plain)
        if "autocast" in values:
            values["precision"] = "bf16" if values.pop("autocast") else "fp32"
        earlier = {"illumination": 0.0, "jpeg": 100.0}
        return cls(
            **{
                **values,
                "preprocessing": Preprocessing(**values["preprocessing"]),
                "patches": StageOptions(**values["patches"]),
                "adversarial": StageOptions(**values["adversarial"]),
                "colour": ColourJitter(**{**earlier, **values["colour"]}),
                "geometry": GeometricJitter(**values["geometry"]),
            }
        )
