"""Retinal vessel segmentation on a device: image in, vessel map out, without torch."""

from typing import TYPE_CHECKING, Any

from retinagan.runtime.errors import (
    EngineError,
    ImageError,
    ModelError,
    NoRetinaError,
    RetinaGanError,
    StreamError,
)
from retinagan.runtime.model.spec import UnverifiedModelWarning

if TYPE_CHECKING:
    from retinagan.runtime.segmenter import Segmentation, Segmenter

__version__ = "0.1.0"

__all__ = [
    "EngineError",
    "ImageError",
    "ModelError",
    "NoRetinaError",
    "RetinaGanError",
    "Segmentation",
    "Segmenter",
    "StreamError",
    "UnverifiedModelWarning",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Import the segmenter, and OpenCV with it, at its first use: ``retina-run --help`` needs neither."""
    if name in ("Segmentation", "Segmenter"):
        from retinagan.runtime import segmenter

        return getattr(segmenter, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
