"""What a model is, what it learned from and under which terms, in lines for a person."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.bundled import find_model
from retinagan.runtime.model.onnx_metadata import onnx_metadata
from retinagan.runtime.model.spec import METADATA_KEY, ModelSpec, spec_path
from retinagan.runtime.model.verification import verify


def about(model: str | os.PathLike[str] | None) -> Iterator[str]:
    """Describe a model: its file, its terms of use, and each dataset with the publication to name.

    Parameters
    ----------
    model : str, path or None
        A bundled model's name, a model file, or None for the default model.

    Yields
    ------
    str
        One line.

    Raises
    ------
    ModelError
        If there is no such model, it does not match its spec, or it has no spec.
    """
    spec = _spec_of(model)
    digest = f", SHA-256 {spec.sha256}" if spec.sha256 else ""
    yield f"model {spec.name}, {spec.precision}{digest}"
    terms = str(spec.training.get("terms") or "")
    yield f"terms of its weights: {terms or 'not known'}"
    for dataset in _datasets(spec.training):
        words = [str(dataset.get(key) or "") for key in ("terms", "citation")]
        told = ": ".join(word for word in words if word)
        yield f"learned from {dataset.get('name') or dataset.get('folder')}{f', {told}' if told else ''}"


def _spec_of(model: str | os.PathLike[str] | None) -> ModelSpec:
    path = find_model(model)
    if spec_path(path).is_file():
        spec = ModelSpec.load(spec_path(path))
        verify(path, spec)
        return spec
    text = onnx_metadata(path).get(METADATA_KEY)
    if text is None:
        raise ModelError(f"{path}: no spec, neither {spec_path(path).name} beside it nor in the file")
    return ModelSpec.from_json(text, f"{path}, metadata")


def _datasets(training: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the entries of the datasets; records of earlier versions name them alone."""
    entries = training.get("datasets")
    if isinstance(entries, list):
        return [entry for entry in entries if isinstance(entry, Mapping)]
    return [{"name": training["data"]}] if training.get("data") else []
