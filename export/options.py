"""Options of the export."""

from dataclasses import dataclass, field
from pathlib import Path

from retinagan.runtime.errors import OptionError
from retinagan.runtime.model.parameters import MapThreshold, Tiling

MEANT_FOR = {
    "fp32": "every engine",
    "fp16": "TensorRT",
    "bf16": "OpenVINO on a CPU with BF16",
    "int8": "TensorRT",
    "int8-openvino": "OpenVINO on a CPU",
    "int8-onnxruntime": "ONNX Runtime on a CPU",
}
"""The precisions, each with the engines that it is meant for."""


@dataclass(frozen=True)
class Changes:
    """Values that override the source's; None keeps the source's.

    Parameters
    ----------
    name : str, optional
        The model's name, with which its files begin.
    threshold : float, optional
        Pixels at or above this probability count as vessel, in all maps: none has a threshold of its own.
    patch : int, optional
        Side of a patch in pixels.
    overlap : float, optional
        Share of a patch's side that the next one overlaps.
    """

    name: str | None = None
    threshold: float | None = None
    patch: int | None = None
    overlap: float | None = None

    def map_threshold(self, own: MapThreshold | None) -> MapThreshold | None:
        """Return the rule for each map's own threshold; None if one is given for all."""
        return own if self.threshold is None else None

    def tiling(self, own: Tiling) -> Tiling:
        """Return a tiling with the overrides applied."""
        patch = own.patch if self.patch is None else self.patch
        return Tiling(patch, own.overlap if self.overlap is None else self.overlap)


@dataclass(frozen=True)
class ExportOptions:
    """Options of an export.

    Parameters
    ----------
    precisions : tuple of str
        Keys of `MEANT_FOR`.
    changes : Changes
        Overrides of the source.
    calibrate : path, optional
        Folder of fundus images to calibrate INT8 with, or a dataset, whose training half is used.
    verify : path, optional
        Folder of fundus images for the proof, besides the proof pack's, or a dataset, whose test half is
        used.
    accept_drop : bool
        Write FP16 and INT8 even if they exceed their bounds, and record that in the proof.
    """

    precisions: tuple[str, ...] = ("fp32",)
    changes: Changes = field(default_factory=Changes)
    calibrate: Path | None = None
    verify: Path | None = None
    accept_drop: bool = False

    def __post_init__(self) -> None:
        if self.quantized and self.calibrate is None:
            raise OptionError(
                "INT8 needs images for its calibration: give a folder of 20 or more fundus images from "
                "the same camera with --calibrate"
            )

    @property
    def quantized(self) -> bool:
        """Whether any INT8 precision is requested, which needs calibration."""
        return any(precision.startswith("int8") for precision in self.precisions)
