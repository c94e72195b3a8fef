"""The bundled torch checkpoints, to fine-tune from."""

from __future__ import annotations

import os
from pathlib import Path

from retinagan.runtime.errors import ModelError

_FOLDER = Path(__file__).parent


def bundled_checkpoints() -> tuple[str, ...]:
    """Return the names of the bundled checkpoints, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.pt")))


def find_checkpoint(name: str | os.PathLike[str]) -> Path:
    """Return the path of a checkpoint: a bundled name that one, else it is a path.

    Raises
    ------
    ModelError
        If it is neither a bundled name nor a file.
    """
    if isinstance(name, str) and name in bundled_checkpoints():
        return _FOLDER / f"{name}.pt"
    path = Path(name)
    if not path.is_file():
        listed = ", ".join(bundled_checkpoints()) or "none"
        raise ModelError(
            f'"{name}" is neither a checkpoint file nor a bundled one; bundled checkpoints: {listed}'
        )
    return path
