"""ONNX Runtime as an engine: on the CPU, or on a GPU by CUDA or by its TensorRT provider."""

import contextlib
import importlib
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.engines.base import PIXELS_PER_RUN, EngineAdapter
from retinagan.runtime.engines.cuda.driver import find_gpu
from retinagan.runtime.engines.devices import parse_device
from retinagan.runtime.engines.model_file import check_graph, checked_spec, checked_threads, one_line
from retinagan.runtime.errors import EngineError, ModelError, OptionError
from retinagan.runtime.model.spec import ModelSpec

_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
_CUDA_OPTIONS = {
    "use_tf32": "0",  # its 10-bit mantissa is not the FP32 that the model was proven in
    "cudnn_conv_algo_search": "HEURISTIC",  # the default tries all algorithms for each new number of patches
}
_SILENT = 4  # ONNX Runtime's "fatal": errors reach the caller as exceptions, not as lines on stderr


class OnnxRuntimeAdapter(EngineAdapter):
    """A model in an ONNX file, run by ONNX Runtime in the file's precision; float32 without TF32.

    Parameters
    ----------
    model_path : str or path
        The ONNX file.
    spec : ModelSpec or None
        Its spec, with the file's hash, which is checked before loading. None: use the spec in the file's own
        metadata, with an `UnverifiedModelWarning`.
    device : {"cpu", "cuda", "cuda:N"}
        Where to run; N is the GPU's number, from 0.
    threads : int, optional
        Number of CPU threads; all cores by default.
    tensorrt : bool
        Run on the GPU by ONNX Runtime's TensorRT provider, which builds an engine each time that it loads.
        That takes minutes, and the engine is held to no proof: build one once by ``retina-export`` instead.

    Raises
    ------
    ModelError
        If the file is missing, damaged, does not match its spec, or is not a vessel model of this package.
    EngineError
        If ONNX Runtime or the device is not available.
    OptionError
        If `device` is unknown, or `threads` is not a positive whole number.
    """

    def __init__(
        self,
        model_path: str | os.PathLike[str],
        spec: ModelSpec | None,
        device: str = "cpu",
        threads: int | None = None,
        *,
        tensorrt: bool = False,
    ) -> None:
        kind, index = parse_device(device)
        provider = "tensorrt" if tensorrt else kind
        path = Path(model_path)
        spec = checked_spec(path, spec)
        runtime = _import_onnxruntime()
        _check_provider(runtime, provider, index)
        if tensorrt:
            warnings.warn(
                f"ONNX Runtime builds a TensorRT engine from {path} at each start, which takes minutes "
                f"and is not proven; build it once:  {build_command(path)}",
                RuntimeWarning,
                stacklevel=2,
            )
        self._run_options = runtime.RunOptions()
        self._run_options.log_severity_level = _SILENT
        options = _session_options(runtime, checked_threads(threads))
        self._session: Any = _open_session(runtime, path, options, _provider_options(provider, index, spec))
        check_graph(path, _described(self._session.get_inputs()), _described(self._session.get_outputs()))
        gpu = f", {device}" if index else ""
        super().__init__(spec, f"ONNX Runtime {runtime.__version__}, {_PROVIDERS[provider]}{gpu}")

    def _run(self, image: NDArray[np.float32], roi: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        try:
            outputs = self._session.run(["probability"], {"image": image, "roi": roi}, self._run_options)
        except Exception as error:  # ONNX Runtime's exceptions have no public base class
            raise EngineError(f"{self.description} failed on {image.shape}: {one_line(error)}") from error
        # The output belongs to the engine, which may reuse its memory: copy it.
        np.copyto(out, outputs[0])

    def _close(self) -> None:
        self._session = None


def build_command(path: Path) -> str:
    """Return the command that builds a TensorRT engine from an ONNX file, for the device that runs it."""
    return f"retina-export {path} --out . --engine tensorrt"


def _import_onnxruntime() -> Any:
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise EngineError(
            f'ONNX Runtime cannot be imported ({one_line(error)}): pip install "retinagan[cpu]"'
        ) from None
    if _installed("onnxruntime") and _installed("onnxruntime-gpu"):
        warnings.warn(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files: "
            "uninstall both, then install the one you need",
            RuntimeWarning,
            stacklevel=4,
        )
    return runtime


def _installed(distribution: str) -> bool:
    from importlib import metadata  # slow to import

    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def _check_provider(runtime: Any, provider: str, index: int) -> None:
    """Raise `EngineError` unless the provider is available; it may still fail to load."""
    if provider not in _PROVIDERS:
        raise OptionError(f'device: got {provider!r}; ONNX Runtime is opened on "cpu", "cuda" or "cuda:N"')
    found = runtime.get_available_providers()
    if _PROVIDERS[provider] not in found:
        advice = {
            "cuda": ': pip uninstall onnxruntime, then pip install "retinagan[gpu]", or use the device cpu'
        }
        raise EngineError(
            f"ONNX Runtime {runtime.__version__} has no {_PROVIDERS[provider]} here, only "
            f"{', '.join(found)}{advice.get(provider, '')}"
        )
    if provider != "cpu":
        find_gpu(index=index)


def _session_options(runtime: Any, threads: int) -> Any:
    options = runtime.SessionOptions()
    options.log_severity_level = _SILENT
    options.intra_op_num_threads = threads  # 0: all cores
    options.inter_op_num_threads = 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # ONNX Runtime keeps a pattern for every input shape it has seen, and the number of patches varies. The
    # arena alone is as large as the largest run needs.
    options.enable_mem_pattern = False
    return options


def _provider_options(provider: str, index: int, spec: ModelSpec) -> list[tuple[str, dict[str, str]]]:
    """Return a provider and those that run what it cannot, best first, each with its options."""
    providers: list[tuple[str, dict[str, str]]] = [(_PROVIDERS["cpu"], {})]
    gpu = {"device_id": str(index)}
    if provider != "cpu":
        providers.insert(0, (_PROVIDERS["cuda"], gpu | _CUDA_OPTIONS))
    if provider == "tensorrt":
        side = spec.usual_patch
        most = max(1, PIXELS_PER_RUN // side**2)
        shapes = {
            f"trt_profile_{name}_shapes": f"image:{count}x3x{side}x{side},roi:{count}x1x{side}x{side}"
            for name, count in (("min", 1), ("opt", most), ("max", most))
        }
        providers.insert(0, (_PROVIDERS["tensorrt"], gpu | shapes))
    return providers


def _open_session(runtime: Any, path: Path, options: Any, providers: list[tuple[str, dict[str, str]]]) -> Any:
    if not path.is_file():
        raise ModelError(f"{path}: no such model file")
    asked = providers[0][0]
    if asked != _PROVIDERS["cpu"] and hasattr(runtime, "preload_dlls"):
        with contextlib.redirect_stdout(sys.stderr):  # it prints what it does not find
            runtime.preload_dlls()  # CUDA's and cuDNN's libraries, where pip installed them
    try:
        # Its fallback would silently use the CPU, now or when a run fails.
        session = runtime.InferenceSession(str(path), options, providers=providers, enable_fallback=0)
    except Exception as error:  # ONNX Runtime's exceptions have no public base class
        if asked != _PROVIDERS["cpu"]:
            raise EngineError(f"{asked} does not load ({one_line(error)}): {_CUDA_ADVICE}") from None
        raise ModelError(
            f"{path}: not an ONNX model that ONNX Runtime can load ({one_line(error)})"
        ) from None
    used = session.get_providers()
    if asked not in used:
        raise EngineError(f"{asked} was requested, but ONNX Runtime uses {', '.join(used)}: {_CUDA_ADVICE}")
    return session


_CUDA_ADVICE = (
    "CUDA, cuDNN and the driver must match this ONNX Runtime: "
    'pip install "onnxruntime-gpu[cuda,cudnn]", or use the device cpu'
)


def _described(values: Any) -> set[tuple[str, str, int]]:
    """Return name, element type and number of dimensions of a session's inputs or outputs."""
    kinds = {"tensor(float)": "float32"}
    return {(value.name, kinds.get(value.type, value.type), len(value.shape)) for value in values}
