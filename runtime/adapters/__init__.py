"""Engines that run a model, all under one contract; none is imported before it is asked for."""

import os

from retinagan.runtime.adapters.base import EngineAdapter
from retinagan.runtime.adapters.onnx_runtime import OnnxRuntimeAdapter
from retinagan.runtime.errors import EngineError
from retinagan.runtime.spec import ModelSpec

__all__ = ["EngineAdapter", "OnnxRuntimeAdapter", "open_adapter"]


def open_adapter(
    path: str | os.PathLike[str],
    spec: ModelSpec | None,
    device: str = "auto",
    threads: int | None = None,
) -> EngineAdapter:
    """Load a model into the engine that fits it and the device.

    Parameters
    ----------
    path : str or path
        The artefact.
    spec : ModelSpec or None
        Its spec; None for an ONNX file that carries its own.
    device : str
        "auto", which takes what works here, or "cpu".
    threads : int, optional
        How many CPU threads compute; all cores if left out.

    Raises
    ------
    ModelError, EngineError
        As the engine's adapter does.
    """
    build = None if spec is None else spec.engine
    if build is not None:
        raise EngineError(
            f"{path} is an engine, built by {build.builder} {build.version} for {build.gpu}; "
            "this version runs ONNX files: open the model's .onnx"
        )
    return OnnxRuntimeAdapter(path, spec, "cpu" if device == "auto" else device, threads)
