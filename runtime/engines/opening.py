"""Choose the engine and device for a model file: by name, or the best that works here."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from retinagan.runtime.engines.base import EngineAdapter
from retinagan.runtime.engines.devices import DEVICES, parse_device
from retinagan.runtime.engines.model_file import checked_spec, checked_threads
from retinagan.runtime.engines.onnx_runtime import OnnxRuntimeAdapter, build_command
from retinagan.runtime.engines.openvino import OpenVinoAdapter
from retinagan.runtime.engines.tensorrt.engine import TensorRtAdapter
from retinagan.runtime.errors import EngineError, OptionError
from retinagan.runtime.model.spec import ModelSpec

ENGINES = ("auto", "onnxruntime", "openvino", "tensorrt")
"""The engines."""

_ENGINE_SUFFIXES = (".engine", ".plan")
_LOG = logging.getLogger("retinagan.runtime")


@dataclass(frozen=True)
class _Way:
    """An engine and device for ONNX files, and why "auto" would choose it."""

    engine: str
    device: str
    reason: str
    open: Callable[[Path, ModelSpec, str, int | None], EngineAdapter]
    by_name_only: bool = False


def _by_tensorrt_provider(path: Path, spec: ModelSpec, device: str, threads: int | None) -> EngineAdapter:
    try:
        return OnnxRuntimeAdapter(path, spec, device, threads, tensorrt=True)
    except EngineError as error:
        raise EngineError(
            f"{path} is an ONNX file; build a TensorRT engine from it on this device:  "
            f"{build_command(path)}. ONNX Runtime cannot run it with TensorRT: {error}"
        ) from error


_ONNX_WAYS = (
    _Way("tensorrt", "cuda", "", _by_tensorrt_provider, by_name_only=True),
    _Way("onnxruntime", "cuda", "a GPU works here", OnnxRuntimeAdapter),
    _Way(
        "openvino",
        "cpu",
        "the fastest engine for the CPU",
        lambda path, spec, device, threads: OpenVinoAdapter(path, spec, threads),
    ),
    _Way("onnxruntime", "cpu", "nothing faster works here", OnnxRuntimeAdapter),
)  # best first


def open_adapter(
    path: str | os.PathLike[str],
    spec: ModelSpec | None,
    device: str = "auto",
    threads: int | None = None,
    engine: str = "auto",
) -> EngineAdapter:
    """Load a model into an engine.

    ============= ============= ============= ==========================================================
    file          engine        device        runs on
    ============= ============= ============= ==========================================================
    .onnx         onnxruntime   cuda          the GPU, in the file's precision, without TF32
    .onnx         openvino      cpu           the CPU, in FP32; in BF16 if the spec says so; INT8 layers
                                              in INT8
    .onnx         onnxruntime   cpu           the CPU, in the file's precision
    .onnx         tensorrt      cuda          the GPU, by an engine that ONNX Runtime builds at each start,
                                              with a warning; never chosen by "auto"
    .engine .plan tensorrt      cuda          the GPU, in the engine's precision
    ============= ============= ============= ==========================================================

    An engine or device requested by name is used, or an error says why it cannot be. "auto" chooses the first
    line of the table that works here; the adapter's `selection` says why, and the log says so once. "cuda" is
    the first GPU, "cuda:1" the second.

    Parameters
    ----------
    path : str or path
        The model file.
    spec : ModelSpec or None
        Its spec; None for an ONNX file that has its own inside.
    device : {"auto", "cpu", "cuda", "cuda:N"}
        Where to run.
    threads : int, optional
        Number of CPU threads; all cores by default. No effect on a GPU.
    engine : {"auto", "onnxruntime", "openvino", "tensorrt"}
        The engine.

    Raises
    ------
    ModelError, EngineError
        As the engine's adapter raises; `EngineError` if nothing installed can run the file.
    OptionError
        If an option is invalid, or engine, device and file do not fit together.
    """
    _check_engine(engine)
    parse_device(device)
    checked_threads(threads)
    path = Path(path)
    if path.suffix in _ENGINE_SUFFIXES or (spec is not None and spec.engine is not None):
        return _open_engine(path, spec, engine, device)
    return _open_onnx(path, checked_spec(path, spec), (engine, device), threads)


def _check_engine(engine: str) -> None:
    if engine in ENGINES:
        return
    names = ", ".join(f'"{name}"' for name in ENGINES)
    hint = f'; "{engine}" is a device' if str(engine).partition(":")[0] in DEVICES else ""
    raise OptionError(f"engine: got {engine!r}; expected one of {names}{hint}")


def _open_engine(path: Path, spec: ModelSpec | None, engine: str, device: str) -> EngineAdapter:
    kind, index = parse_device(device)
    if engine not in ("auto", "tensorrt") or kind == "cpu":
        raise OptionError(
            f"{path} is an engine, which only TensorRT can run, on a GPU; got engine {engine!r}, device "
            f"{device!r}: omit both, or open the model's .onnx"
        )
    return TensorRtAdapter(path, spec, index)


def _open_onnx(path: Path, spec: ModelSpec, asked: tuple[str, str], threads: int | None) -> EngineAdapter:
    engine, device = asked
    kind, _ = parse_device(device)
    ways = [
        (way, way.device if kind == "auto" else device)
        for way in _ONNX_WAYS
        if (engine == way.engine or (engine == "auto" and not way.by_name_only))
        and kind in ("auto", way.device)
    ]
    if not ways:
        runs_on = " or ".join(f'"{way.device}"' for way in _ONNX_WAYS if way.engine == engine)
        raise OptionError(f'engine "{engine}" does not run on device "{device}", only on {runs_on}')
    if len(ways) > 1:
        return _open_best(path, spec, ways, threads)
    ((way, where),) = ways
    return way.open(path, spec, where, threads)


def _open_best(
    path: Path, spec: ModelSpec, ways: list[tuple[_Way, str]], threads: int | None
) -> EngineAdapter:
    """Open the first engine that works, and record which and why."""
    failures = []
    for way, device in ways:
        try:
            adapter = way.open(path, spec, device, threads)
        except EngineError as error:
            failures.append(f"{way.engine} on {device}: {error}")
            continue
        adapter.selection = "".join([f"auto: {way.reason}", *(f"; not {failure}" for failure in failures)])
        _say_once(f"{adapter.description} ({adapter.selection})")
        return adapter
    raise EngineError(
        f'no engine here can run {path.name}: pip install "retinagan[cpu]", or with TensorRT only '
        f"{build_command(path)}. What was tried: {'; '.join(failures)}"
    )


@lru_cache(maxsize=256)
def _say_once(text: str) -> None:
    _LOG.info("%s", text)
