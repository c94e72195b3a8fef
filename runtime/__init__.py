"""Retinal vessel segmentation on a device: image in, vessel map out, without torch."""

from retinagan.runtime.errors import EngineError, ImageError, ModelError, NoRetinaError, RetinaGanError
from retinagan.runtime.segmenter import Segmentation, Segmenter
from retinagan.runtime.spec import UnverifiedModelWarning

__version__ = "0.1.0"

__all__ = [
    "EngineError",
    "ImageError",
    "ModelError",
    "NoRetinaError",
    "RetinaGanError",
    "Segmentation",
    "Segmenter",
    "UnverifiedModelWarning",
    "__version__",
]
