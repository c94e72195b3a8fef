"""The tensors of a served model: the same in `retina-serve` and in Triton."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from retinagan.runtime.model.spec import ModelSpec

VERSION = "1"
"""The version under which a model is served; models of another kind have another name."""

DTYPES: dict[str, type[Any]] = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "FP32": np.float32,
    "BYTES": np.object_,
}
"""The KServe V2 data types in use, with NumPy's."""


_LONGEST = 1 << 31  # of a tensor's sides; no image is as large


@dataclass(frozen=True)
class Tensor:
    """An input or output of the served model.

    Attributes
    ----------
    name : str
    datatype : str
        One of `DTYPES`.
    shape : tuple of int
        -1 where any length fits.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether a shape is one that this tensor can have."""
        return len(shape) == len(self.shape) and all(
            0 <= length < _LONGEST and wanted in (-1, length)
            for wanted, length in zip(self.shape, shape, strict=True)
        )


IMAGE = Tensor("image", "UINT8", (-1, -1, 3))
"""(H, W, 3) RGB, 0 to 255: an image that the client has decoded."""

FILE = Tensor("file", "BYTES", (1,))
"""The content of an image file, in place of `IMAGE`."""

VESSELS = Tensor("vessels", "BOOL", (-1, -1))
"""(H, W), true on vessels."""

PROBABILITY = Tensor("probability", "FP32", (-1, -1))
"""(H, W), probability that a pixel belongs to a vessel, 0 to 1; 0 outside the retina."""

ROI = Tensor("roi", "BOOL", (-1, -1))
"""(H, W), true on the retina and its rim."""

REPORT = Tensor("report", "BYTES", (1,))
"""The report in JSON: status, warnings, confidence, angle, seconds."""

INPUTS = (IMAGE, FILE)
"""Inputs; a request has exactly one of them."""

OUTPUTS = (VESSELS, PROBABILITY, ROI, REPORT)
"""Outputs, in the order in which they are returned unless a request names some."""


def served_name(spec: ModelSpec) -> str:
    """Return the model's name as part of a URL and of a folder: letters, digits, dots, hyphens."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", spec.name).strip(".-") or "model"
