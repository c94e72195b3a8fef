"""Retinal vessel segmentation on a device: image in, vessel map out, without torch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from retinagan.runtime.errors import (
    EngineError,
    ImageError,
    ModelError,
    NoRetinaError,
    OptionError,
    RetinaGanError,
    StreamError,
)
from retinagan.runtime.model.verification import UnverifiedModelWarning

if TYPE_CHECKING:
    from retinagan.runtime.batch.overlay import draw_overlay
    from retinagan.runtime.images.photograph import Photograph
    from retinagan.runtime.images.reading import read_image
    from retinagan.runtime.measures.measure import Measures, measure
    from retinagan.runtime.segmenter import Segmentation, Segmenter

__version__ = "0.1.0"

__all__ = [
    "EngineError",
    "ImageError",
    "Measures",
    "ModelError",
    "NoRetinaError",
    "OptionError",
    "Photograph",
    "RetinaGanError",
    "Segmentation",
    "Segmenter",
    "StreamError",
    "UnverifiedModelWarning",
    "__version__",
    "draw_overlay",
    "measure",
    "read_image",
]

_AT_FIRST_USE = {
    "Measures": "measures.measure",
    "Photograph": "images.photograph",
    "Segmentation": "segmenter",
    "Segmenter": "segmenter",
    "draw_overlay": "batch.overlay",
    "measure": "measures.measure",
    "read_image": "images.reading",
}


def __getattr__(name: str) -> Any:
    """Import what needs OpenCV at its first use: ``retina-run --help`` needs none of it."""
    if name in _AT_FIRST_USE:
        return getattr(import_module(f"{__name__}.{_AT_FIRST_USE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
