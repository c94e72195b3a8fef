"""The models bundled with this package."""

import os
from pathlib import Path

from retinagan.runtime.errors import ModelError

DEFAULT_MODEL = "retina-gan"
"""The bundled model that is used by default."""

_FOLDER = Path(__file__).parents[1] / "models"


def bundled_models() -> tuple[str, ...]:
    """Return the names of the bundled models, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.onnx")))


def bundled_model(name: str = DEFAULT_MODEL) -> Path:
    """Return the path of a bundled model's ONNX file.

    Raises
    ------
    ModelError
        If no model of that name is bundled; the message lists the bundled ones.
    """
    if name not in bundled_models():
        raise ModelError(f'no bundled model is called "{name}"; bundled models: {_listed()}')
    return _FOLDER / f"{name}.onnx"


def find_model(model: str | os.PathLike[str] | None) -> Path:
    """Return the path of a model, given as a bundled name, a path, or None for the default model.

    Raises
    ------
    ModelError
        If `model` is neither a bundled name nor a file.
    """
    if model is None:
        return bundled_model()
    if isinstance(model, str) and model in bundled_models():
        return bundled_model(model)
    path = Path(model)
    if not path.is_file():
        raise ModelError(
            f'"{model}" is neither a model file nor a bundled model; bundled models: {_listed()}'
        )
    return path


def _listed() -> str:
    return ", ".join(bundled_models()) or "none"
