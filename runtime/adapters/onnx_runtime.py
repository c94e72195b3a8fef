"""ONNX Runtime as an engine, on the CPU."""

import importlib
import os
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from retinagan.runtime.adapters.base import EngineAdapter
from retinagan.runtime.errors import EngineError, ModelError
from retinagan.runtime.spec import (
    METADATA_KEY,
    ModelSpec,
    UnverifiedModelWarning,
    sha256_of,
    spec_path,
    verify,
)

_PROVIDERS = {"cpu": "CPUExecutionProvider"}
_SILENT = 4  # ONNX Runtime's "fatal": its errors reach the caller as exceptions, not as lines on stderr


class OnnxRuntimeAdapter(EngineAdapter):
    """A model in an ONNX file, run by ONNX Runtime.

    Parameters
    ----------
    model_path : str or path
        The ONNX file.
    spec : ModelSpec or None
        Its spec, against which the file's hash is checked before it is loaded. None: the spec in the
        file's own metadata is taken, with an `UnverifiedModelWarning`.
    device : str
        "cpu".
    threads : int, optional
        How many threads compute; all cores if left out.

    Raises
    ------
    ModelError
        If the file is missing, not what its spec says, broken, or no vessel model of this package.
    EngineError
        If ONNX Runtime or the device is not there, or `threads` is no positive number.
    """

    def __init__(
        self,
        model_path: str | os.PathLike[str],
        spec: ModelSpec | None,
        device: str = "cpu",
        threads: int | None = None,
    ) -> None:
        path = Path(model_path)
        if spec is not None:
            verify(path, spec)
        runtime = _import_onnxruntime()
        self._run_options = runtime.RunOptions()
        self._run_options.log_severity_level = _SILENT
        self._session: Any = _open_session(runtime, path, _provider(runtime, device), threads)
        _check_graph(self._session, path)
        description = f"ONNX Runtime {runtime.__version__}, {_PROVIDERS[device]}"
        super().__init__(spec or _embedded_spec(self._session, path), description)

    def _run(self, image: NDArray[np.float32], roi: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        try:
            outputs = self._session.run(["probability"], {"image": image, "roi": roi}, self._run_options)
        except Exception as error:  # ONNX Runtime's exceptions have no public base class
            raise EngineError(f"{self.description} failed on {image.shape}: {_line(error)}") from error
        # The output belongs to the engine, which may use its memory again: copy it.
        np.copyto(out, outputs[0])

    def _close(self) -> None:
        self._session = None


def _import_onnxruntime() -> Any:
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise EngineError(
            f'ONNX Runtime cannot be imported ({_line(error)}): pip install "retinagan[cpu]"'
        ) from None
    if _installed("onnxruntime") and _installed("onnxruntime-gpu"):
        warnings.warn(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files: "
            "pip uninstall both, then install the one you need",
            RuntimeWarning,
            stacklevel=4,
        )
    return runtime


def _installed(distribution: str) -> bool:
    from importlib import metadata  # slow to import, and not needed before

    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def _provider(runtime: Any, device: str) -> str:
    """Give the execution provider's name for a device, which must be there."""
    provider = _PROVIDERS.get(device)
    found = runtime.get_available_providers()
    if provider is None or provider not in found:
        known = ", ".join(f'"{name}"' for name in ("auto", *_PROVIDERS))
        raise EngineError(
            f'device "{device}" cannot be used: known devices are {known}; ONNX Runtime '
            f'{runtime.__version__} has {", ".join(found)}. Use device="cpu"'
        )
    return provider


def _open_session(runtime: Any, path: Path, provider: str, threads: int | None) -> Any:
    if not path.is_file():
        raise ModelError(f"{path}: no such model file")
    options = runtime.SessionOptions()
    options.log_severity_level = _SILENT
    options.intra_op_num_threads = _checked_threads(threads)
    options.inter_op_num_threads = 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Patterns are kept for every input shape that was ever seen, and the number of patches varies; the
    # arena alone stays as large as the largest run needs.
    options.enable_mem_pattern = False
    try:
        session = runtime.InferenceSession(str(path), options, providers=[provider])
    except Exception as error:  # ONNX Runtime's exceptions have no public base class
        raise ModelError(f"{path}: not an ONNX model that ONNX Runtime can load ({_line(error)})") from None
    used = session.get_providers()
    if provider not in used:
        raise EngineError(f"{provider} was asked for, but ONNX Runtime took {', '.join(used)}")
    return session


def _checked_threads(threads: int | None) -> int:
    """Give ONNX Runtime's number of threads, where 0 stands for all cores."""
    if threads is None:
        return 0
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise EngineError(f"threads: got {threads!r}; expected a whole number from 1, or None for all cores")
    return threads


def _check_graph(session: Any, path: Path) -> None:
    inputs = {(value.name, value.type, len(value.shape)) for value in session.get_inputs()}
    outputs = {(value.name, value.type) for value in session.get_outputs()}
    if inputs != {("image", "tensor(float)", 4), ("roi", "tensor(float)", 4)} or outputs != {
        ("probability", "tensor(float)")
    }:
        names = ", ".join(sorted(value.name for value in session.get_inputs()))
        raise ModelError(
            f"{path}: its inputs are {names}; a vessel model has image and roi, (N, 3 or 1, height, width) "
            "float32, and gives probability: export one by retina-export"
        )


def _embedded_spec(session: Any, path: Path) -> ModelSpec:
    """Read the spec that a lone ONNX file carries, and warn."""
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise ModelError(
            f"{path}: no spec, neither {spec_path(path).name} beside it nor in the file: "
            "export it by retina-export"
        )
    spec = ModelSpec.from_json(text, f"{path}, metadata")
    warnings.warn(
        f"{path} is not verified: {spec_path(path).name} is not beside it, so its own metadata is taken for "
        "its spec",
        UnverifiedModelWarning,
        stacklevel=4,
    )
    return replace(spec, sha256=sha256_of(path))


def _line(error: BaseException) -> str:
    """Give an exception's text in one short line."""
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else text[:197] + "..."
