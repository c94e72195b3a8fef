"""Checks of a model file that every engine makes before it loads the file."""

import os
import warnings
from dataclasses import replace
from operator import index
from pathlib import Path
from typing import SupportsIndex

from retinagan.runtime.errors import ModelError, OptionError
from retinagan.runtime.model.onnx_metadata import onnx_metadata
from retinagan.runtime.model.spec import METADATA_KEY, ModelSpec, spec_path
from retinagan.runtime.model.verification import UnverifiedModelWarning, sha256_of, verify


def checked_spec(path: str | os.PathLike[str], spec: ModelSpec | None) -> ModelSpec:
    """Return the spec of an ONNX file, checked against the file.

    Parameters
    ----------
    path : str or path
        The ONNX file.
    spec : ModelSpec or None
        Its spec, with the file's hash. None: use the spec in the file's own metadata, with an
        `UnverifiedModelWarning`.

    Raises
    ------
    ModelError
        If the file cannot be read, does not match its spec, or has no spec.
    """
    if spec is not None:
        verify(path, spec)
        return spec
    text = onnx_metadata(path).get(METADATA_KEY)
    if text is None:
        raise ModelError(
            f"{path}: no spec, neither {spec_path(path).name} beside it nor in the file: "
            "export it with retina-export"
        )
    spec = ModelSpec.from_json(text, f"{path}, metadata")
    warnings.warn(
        f"{path} is not verified: {spec_path(path).name} is not beside it, so the spec in its own metadata "
        "is used",
        UnverifiedModelWarning,
        stacklevel=4,
    )
    return replace(spec, sha256=sha256_of(path))


def check_graph(path: Path, inputs: set[tuple[str, str, int]], outputs: set[tuple[str, str, int]]) -> None:
    """Raise `ModelError` unless a graph is a vessel model.

    Parameters
    ----------
    path : path
        The file, for the message.
    inputs, outputs : set of (str, str, int)
        Name, element type ("float32" or the engine's own name) and number of dimensions of each.

    Raises
    ------
    ModelError
        If it does not take `image` and `roi` and return `probability`, all float32.
    """
    if inputs != {("image", "float32", 4), ("roi", "float32", 4)} or outputs != {
        ("probability", "float32", 4)
    }:
        names = ", ".join(sorted(name for name, _, _ in inputs)) or "none"
        raise ModelError(
            f"{path}: its inputs are {names}; a vessel model has image and roi, (N, 3 or 1, height, width) "
            "float32, and returns probability: export one with retina-export"
        )


def checked_threads(threads: int | None) -> int:
    """Return the number of threads, 0 for None; raise `OptionError` unless it is a whole number from 1."""
    if threads is None:
        return 0
    if isinstance(threads, bool) or not isinstance(threads, SupportsIndex) or index(threads) < 1:
        raise OptionError(
            f"threads: got {threads!r}; expected a whole number from 1; leave it out for all cores"
        )
    return index(threads)


def one_line(error: BaseException) -> str:
    """Return an exception's text as one short line."""
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else text[:197] + "..."
