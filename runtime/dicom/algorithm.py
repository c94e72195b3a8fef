"""What computed a result, as the objects name it."""

from dataclasses import dataclass

from pydicom.dataset import Dataset

from retinagan.runtime.dicom.codes import ARTIFICIAL_INTELLIGENCE, coded
from retinagan.runtime.dicom.elements import item
from retinagan.runtime.dicom.mark import PRODUCT

_LONGEST_TEXT = 64  # characters of VR LO


@dataclass(frozen=True)
class Algorithm:
    """What computed a result.

    Parameters
    ----------
    model, model_sha256 : str
        The model's name, and the SHA-256 of its file as 64 hexadecimal digits; empty if it is not known.
    version : str
        Version of this package.
    threshold : float
        Pixels at or above this probability count as vessel.
    engine : str
        The engine, its version and where it ran.
    settings : str
        Further settings of this image that change the result, in words.
    """

    model: str
    model_sha256: str
    version: str
    threshold: float
    engine: str = ""
    settings: str = ""

    @property
    def name(self) -> str:
        """The model's name, as text that every character set has and that fits Algorithm Name."""
        return shortened(self.model)

    @property
    def serial_number(self) -> str:
        """The model's SHA-256, which tells it from others of its name."""
        return self.model_sha256 or "not known"

    @property
    def parameters(self) -> str:
        """All that decides the result, in one line of ASCII."""
        parts = [
            f"model SHA-256 {self.serial_number}",
            f"probability threshold {self.threshold:g}",
            self.settings,
            f"engine {self.engine}" if self.engine else "",
        ]
        return _ascii("; ".join(filter(None, parts)))

    def identification(self) -> list[Dataset]:
        """Return the one item of an Algorithm Identification Sequence (PS3.3 Table 10-19)."""
        return [
            item(
                AlgorithmFamilyCodeSequence=coded(ARTIFICIAL_INTELLIGENCE),
                AlgorithmName=self.name,
                AlgorithmVersion=shortened(self.version),
                AlgorithmParameters=self.parameters,
                AlgorithmSource=PRODUCT,
            )
        ]


def shortened(text: str) -> str:
    """Return text as at most 64 ASCII characters without a backslash, which separates values in DICOM."""
    return _ascii(text)[:_LONGEST_TEXT].strip()


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode().replace("\\", "/")
