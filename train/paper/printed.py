"""The paper's printed figures, and the systems they belong to.

Hou Songchen, Zhang Junhu, "Vessel Segmentation in Retinal Image Based on Retina-GAN", Computer Systems &
Applications 31(7):372-378, 2022.
"""

from __future__ import annotations

from dataclasses import dataclass

MODELS = {"gan": "GAN", "unet": "U-Net", "ru-net": "RU-Net", "retina-gan": "Retina-GAN"}
PREPROCESSING = {"ace": "ACE", "clahe": "CLAHE", "none": "none"}


@dataclass(frozen=True)
class System:
    """A system of the paper: a model, and the equalization of its images."""

    model: str
    preprocess: str

    @property
    def name(self) -> str:
        """Name in paths, such as "gan-ace"."""
        return f"{self.model}-{self.preprocess}"

    @property
    def title(self) -> str:
        """Name for readers, such as "GAN, ACE"."""
        return f"{MODELS[self.model]}, {PREPROCESSING[self.preprocess]}"


@dataclass(frozen=True)
class Printed:
    """Rates as the paper prints them."""

    accuracy: float
    sensitivity: float
    specificity: float

    @property
    def vessel_share(self) -> float:
        """Share of vessel pixels implied by these rates: Acc = share Sen + (1 - share) Spe."""
        return (self.specificity - self.accuracy) / (self.specificity - self.sensitivity)

    @property
    def possible(self) -> bool:
        """Whether some share of vessel pixels makes the three rates consistent."""
        rates = sorted((self.sensitivity, self.specificity))
        return rates[0] <= self.accuracy <= rates[1]


TABLE_1 = {
    System("gan", "ace"): Printed(0.923, 0.743, 0.933),
    System("unet", "ace"): Printed(0.931, 0.727, 0.941),
    System("ru-net", "ace"): Printed(0.953, 0.775, 0.977),
    System("retina-gan", "ace"): Printed(0.969, 0.792, 0.980),
}
TABLE_2: dict[System, Printed | None] = {
    System("gan", "ace"): Printed(0.923, 0.743, 0.933),
    System("gan", "clahe"): Printed(0.902, 0.711, 0.899),
    System("gan", "none"): None,
    System("retina-gan", "ace"): Printed(0.969, 0.792, 0.979),
    System("retina-gan", "clahe"): Printed(0.946, 0.755, 0.923),
    System("retina-gan", "none"): None,
}
"""None: not in the paper; the baseline against which equalization is measured."""

SYSTEMS = tuple(dict.fromkeys((*TABLE_1, *TABLE_2)))


@dataclass(frozen=True)
class Claim:
    """A claim that one system scores higher than another.

    Attributes
    ----------
    text : str
        The claim.
    better, worse : System
        The systems to compare.
    of_the_paper : bool
        Whether the paper draws this conclusion from its tables; otherwise they leave it open.
    """

    text: str
    better: System
    worse: System
    of_the_paper: bool = True


CLAIMS = (
    Claim("recurrent residual blocks help", System("ru-net", "ace"), System("unet", "ace")),
    Claim(
        "attention and the discriminator together help", System("retina-gan", "ace"), System("ru-net", "ace")
    ),
    Claim(
        "recurrent residual blocks and attention together help",
        System("retina-gan", "ace"),
        System("gan", "ace"),
    ),
    Claim(
        "the discriminator by itself helps",  # in table 1 GAN has less Acc than U-Net and more Sen
        System("gan", "ace"),
        System("unet", "ace"),
        of_the_paper=False,
    ),
    Claim("ACE is better than CLAHE", System("retina-gan", "ace"), System("retina-gan", "clahe")),
    Claim("ACE is better than CLAHE", System("gan", "ace"), System("gan", "clahe")),
    Claim(
        "ACE is better than no equalization",
        System("retina-gan", "ace"),
        System("retina-gan", "none"),
        of_the_paper=False,
    ),
    Claim(
        "ACE is better than no equalization",
        System("gan", "ace"),
        System("gan", "none"),
        of_the_paper=False,
    ),
)
"""The claims tested on the results page."""
