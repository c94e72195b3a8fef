"""Which engine runs a model file, where: by name, or the best that works here."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from retinagan.runtime.engines.base import EngineAdapter
from retinagan.runtime.engines.model_file import checked_spec, checked_threads
from retinagan.runtime.engines.onnx_runtime import OnnxRuntimeAdapter
from retinagan.runtime.engines.openvino import OpenVinoAdapter
from retinagan.runtime.engines.tensorrt.engine import TensorRtAdapter
from retinagan.runtime.errors import EngineError
from retinagan.runtime.model.spec import ModelSpec

ENGINES = ("auto", "onnxruntime", "openvino", "tensorrt")
"""What may be asked for as an engine."""

DEVICES = ("auto", "cpu", "cuda", "tensorrt")
"""What may be asked for as a device; "tensorrt" is the GPU, by TensorRT."""

_ENGINE_SUFFIXES = (".engine", ".plan")
_LOG = logging.getLogger("retinagan.runtime")


@dataclass(frozen=True)
class _Way:
    """One way to run an ONNX file, and why `auto` would take it."""

    engine: str
    device: str
    reason: str
    open: Callable[[Path, ModelSpec, int | None], EngineAdapter]
    by_name_only: bool = False


_ONNX_WAYS = (
    _Way(
        "onnxruntime",
        "tensorrt",
        "",
        lambda path, spec, threads: OnnxRuntimeAdapter(path, spec, "tensorrt", threads),
        by_name_only=True,
    ),
    _Way(
        "onnxruntime",
        "cuda",
        "a GPU works here",
        lambda path, spec, threads: OnnxRuntimeAdapter(path, spec, "cuda", threads),
    ),
    _Way(
        "openvino",
        "cpu",
        "the fastest engine for the CPU",
        lambda path, spec, threads: OpenVinoAdapter(path, spec, threads),
    ),
    _Way(
        "onnxruntime",
        "cpu",
        "nothing faster works here",
        lambda path, spec, threads: OnnxRuntimeAdapter(path, spec, "cpu", threads),
    ),
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
    file          engine        device        what computes
    ============= ============= ============= ==========================================================
    .onnx         onnxruntime   cuda          the GPU, in the file's precision, without TF32
    .onnx         openvino      cpu           the CPU, in FP32; in BF16 if the spec says so; INT8 layers
                                              in INT8
    .onnx         onnxruntime   cpu           the CPU, in the file's precision
    .onnx         onnxruntime   tensorrt      the GPU, by an engine that is built at each start; never
                                              taken by "auto"
    .engine .plan tensorrt      cuda          the GPU, in the engine's precision
    ============= ============= ============= ==========================================================

    What is asked for by name is taken, or else an error says why not. "auto" takes the first line of the
    table that works here; the adapter's `selection` says why, and so does the log, once.

    Parameters
    ----------
    path : str or path
        The model file.
    spec : ModelSpec or None
        Its spec; None for an ONNX file that carries its own.
    device : {"auto", "cpu", "cuda", "tensorrt"}
        Where to run.
    threads : int, optional
        How many CPU threads compute; all cores if left out. No matter to a GPU.
    engine : {"auto", "onnxruntime", "openvino", "tensorrt"}
        What runs it.

    Raises
    ------
    ModelError, EngineError
        As the engine's adapter does; `EngineError` if nothing that is here runs the file so.
    """
    _check_choice("engine", engine, ENGINES)
    _check_choice("device", device, DEVICES)
    checked_threads(threads)
    path = Path(path)
    if path.suffix in _ENGINE_SUFFIXES or (spec is not None and spec.engine is not None):
        return _open_engine(path, spec, engine, device)
    return _open_onnx(path, checked_spec(path, spec), (engine, device), threads)


def _check_choice(option: str, choice: str, known: tuple[str, ...]) -> None:
    if choice in known:
        return
    names = ", ".join(f'"{name}"' for name in known)
    hint = f'; "{choice}" is an engine' if choice in ENGINES else ""
    hint = f'; "{choice}" is a device' if choice in DEVICES else hint
    raise EngineError(f"{option}: got {choice!r}; expected one of {names}{hint}")


def _open_engine(path: Path, spec: ModelSpec | None, engine: str, device: str) -> EngineAdapter:
    if engine not in ("auto", "tensorrt") or device == "cpu":
        raise EngineError(
            f"{path} is an engine, which only TensorRT runs, on a GPU; got engine {engine!r}, device "
            f"{device!r}: leave both out, or open the model's .onnx"
        )
    return TensorRtAdapter(path, spec)


def _open_onnx(path: Path, spec: ModelSpec, asked: tuple[str, str], threads: int | None) -> EngineAdapter:
    engine, device = asked
    if engine == "tensorrt":
        raise EngineError(
            f"{path} is an ONNX file; TensorRT runs an engine that was built from it on this device: "
            f"retina-export {path} --engine tensorrt"
        )
    ways = [
        way
        for way in _ONNX_WAYS
        if engine in ("auto", way.engine)
        and (device == way.device or (device == "auto" and not way.by_name_only))
    ]
    if not ways:
        raise EngineError(f'engine "{engine}" does not run on device "{device}": use device="cpu"')
    if len(ways) == 1:
        return ways[0].open(path, spec, threads)
    return _open_best(path, spec, ways, threads)


def _open_best(path: Path, spec: ModelSpec, ways: list[_Way], threads: int | None) -> EngineAdapter:
    """Open the first way that works, and say which and why."""
    failures = []
    for way in ways:
        try:
            adapter = way.open(path, spec, threads)
        except EngineError as error:
            failures.append(f"{way.engine} on {way.device}: {error}")
            continue
        adapter.selection = "".join([f"auto: {way.reason}", *(f"; not {failure}" for failure in failures)])
        _say_once(f"{adapter.description} ({adapter.selection})")
        return adapter
    raise EngineError(
        f'no engine here runs {path.name}: pip install "retinagan[cpu]", or with TensorRT alone '
        f"retina-export {path} --engine tensorrt. What was tried: {'; '.join(failures)}"
    )


@lru_cache(maxsize=256)
def _say_once(text: str) -> None:
    _LOG.info("%s", text)
