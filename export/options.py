"""What the user of the export may choose."""

from dataclasses import dataclass, field
from pathlib import Path

from retinagan.runtime.errors import OptionError
from retinagan.runtime.model.spec import Tiling

MEANT_FOR = {
    "fp32": "every engine",
    "fp16": "TensorRT",
    "bf16": "OpenVINO on a CPU with BF16",
    "int8": "TensorRT, OpenVINO",
    "int8-onnxruntime": "ONNX Runtime on a CPU",
}
"""By what may be asked for, the engines that it is for."""


@dataclass(frozen=True)
class Changes:
    """What the user may say instead of the source; None leaves it.

    Parameters
    ----------
    name : str, optional
        The model's name, which its files begin with.
    threshold : float, optional
        Probability from which on a pixel is a vessel.
    patch : int, optional
        Side in pixels of the patches that the runtime cuts.
    overlap : float, optional
        Share of a patch's side that it has in common with the next.
    """

    name: str | None = None
    threshold: float | None = None
    patch: int | None = None
    overlap: float | None = None

    def tiling(self, own: Tiling) -> Tiling:
        """Give the tiling with the user's values in place of its own."""
        patch = own.patch if self.patch is None else self.patch
        return Tiling(patch, own.overlap if self.overlap is None else self.overlap)


@dataclass(frozen=True)
class ExportOptions:
    """What the user may choose.

    Parameters
    ----------
    precisions : tuple of str
        Of `MEANT_FOR`.
    changes : Changes
        What is said instead of the source.
    calibrate : path, optional
        Folder of fundus images for INT8; a dataset's training half.
    verify : path, optional
        Folder of fundus images to prove on besides the proof pack's; a dataset's test half.
    accept_drop : bool
        Write FP16 and INT8 that miss their bounds, and say so in the proof.
    """

    precisions: tuple[str, ...] = ("fp32",)
    changes: Changes = field(default_factory=Changes)
    calibrate: Path | None = None
    verify: Path | None = None
    accept_drop: bool = False

    def __post_init__(self) -> None:
        if self.quantized and self.calibrate is None:
            raise OptionError(
                "INT8 needs images to calibrate with: give a folder of 20 or more fundus images of the "
                "camera's own with --calibrate"
            )

    @property
    def quantized(self) -> bool:
        """Whether any INT8 is asked for, which needs calibration."""
        return any(precision.startswith("int8") for precision in self.precisions)
