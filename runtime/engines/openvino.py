"""OpenVINO as an engine, on the CPU."""

import importlib
import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.engines.base import EngineAdapter
from retinagan.runtime.engines.model_file import check_graph, checked_spec, checked_threads, one_line
from retinagan.runtime.engines.pool import Pool
from retinagan.runtime.engines.shapes import CompiledShapes, Shape
from retinagan.runtime.errors import EngineError, ModelError, OptionError
from retinagan.runtime.model.spec import ModelSpec

_HINTS = {"fp32": "f32", "bf16": "bf16"}


class OpenVinoAdapter(EngineAdapter):
    """A model in an ONNX file, run by OpenVINO on the CPU.

    Where one patch holds the whole retina, the model is compiled for the shape that comes. That takes up to a
    fifth less CPU time than a model compiled for any shape, and a third less memory for activations; results
    are the same. Squares differ from camera to camera, so few shapes are compiled; see `CompiledShapes`.

    Parameters
    ----------
    model_path : str or path
        The ONNX file.
    spec : ModelSpec or None
        Its spec, with the file's hash, which is checked before loading. None: use the spec in the file's own
        metadata, with an `UnverifiedModelWarning`.
    threads : int, optional
        Number of CPU threads; all cores by default.
    precision : {"fp32", "bf16"}, optional
        Precision of floating-point layers; quantized layers compute in INT8 either way. By default "bf16" if
        the model's spec says so, else "fp32". OpenVINO's own default is BF16 wherever the CPU supports it,
        whatever that does to the result.

    Raises
    ------
    ModelError
        If the file is missing, damaged, does not match its spec, or is not a vessel model of this package.
    EngineError
        If OpenVINO is not available or was loaded before this process was forked, or if BF16 is requested and
        the CPU does not support it.
    OptionError
        If `threads` or `precision` is invalid.
    """

    def __init__(
        self,
        model_path: str | os.PathLike[str],
        spec: ModelSpec | None,
        threads: int | None = None,
        *,
        precision: str | None = None,
    ) -> None:
        path = Path(model_path)
        spec = checked_spec(path, spec)
        openvino = _import_openvino()
        core = shared_core()
        if precision is None:
            precision = "bf16" if spec.precision == "bf16" else "fp32"
        _check_precision(core, precision)
        model, count = _read_model(openvino, path), checked_threads(threads)
        self._shapes: CompiledShapes[_Compiled] = CompiledShapes(
            lambda shape: _Compiled(core, model, shape, precision, count),
            usual=_only_shape(spec),
        )
        version = openvino.__version__.split("-")[0]
        super().__init__(spec, f"OpenVINO {version}, CPU, {precision.upper()}")

    def _run(self, image: NDArray[np.float32], roi: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        with self._shapes.compiled_for(image.shape).requests.lend() as request:
            try:
                request.infer({"image": image, "roi": roi}, share_inputs=True)
                result = request.get_output_tensor(0).data
            except RuntimeError as error:
                raise EngineError(f"{self.description} failed on {image.shape}: {one_line(error)}") from error
            if result.shape != out.shape:
                raise EngineError(f"{self.description} gave {result.shape} for {image.shape}")
            # The output is the request's own memory, which the next run overwrites: copy it.
            np.copyto(out, result)

    def _close(self) -> None:
        del self._shapes  # it holds the model


class _Compiled:
    """A model compiled for one shape of images, or for any if that is None, with its infer requests."""

    def __init__(self, core: Any, model: Any, shape: Shape | None, precision: str, threads: int) -> None:
        if shape is not None:
            count, _, height, width = shape
            model = model.clone()
            try:
                model.reshape({"image": shape, "roi": (count, 1, height, width)})
            except RuntimeError as error:
                raise ModelError(
                    f"the model does not take images of {height}x{width} pixels: {one_line(error)}"
                ) from None
        compiled = _compile(core, model, precision, threads)
        at_once = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self.requests: Pool[Any] = Pool(compiled.create_infer_request, at_once)


def _only_shape(spec: ModelSpec) -> Shape | None:
    """Return the usual shape where one patch holds the whole square; else None, as counts then vary."""
    side = spec.usual_patch
    return (1, 3, side, side) if side == spec.preprocessing.usual_size else None


def _import_openvino() -> Any:
    """Import OpenVINO without its telemetry.

    Its tools report their use over the network, by a process that they fork from a thread. A device must not
    do that, and the process may keep ours from ending. Where their package cannot be imported, they report
    nothing.
    """
    modules: dict[str, Any] = sys.modules
    silenced = "openvino_telemetry" not in modules
    if silenced:
        modules["openvino_telemetry"] = None
    try:
        return importlib.import_module("openvino")
    except ImportError as error:
        raise EngineError(
            f'OpenVINO cannot be imported ({one_line(error)}): pip install "retinagan[openvino]"'
        ) from None
    finally:
        if silenced:
            del modules["openvino_telemetry"]


_core: Any = None
_core_process: int | None = None
_core_lock = threading.Lock()


def shared_core() -> Any:
    """Return the process's one `openvino.Core`, which is never freed.

    Cores that are freed in the order in which they were made leave the main thread with a signal stack that
    no longer exists, and the next Ctrl-C crashes the process.

    Raises
    ------
    EngineError
        If OpenVINO is not available, or was loaded before this process was forked. Its threads are in the
        parent, and compiling a model would sometimes wait for them for ever.
    """
    global _core, _core_process
    process = os.getpid()
    if _core_process not in (None, process):  # before the lock, which the fork may have left locked
        raise EngineError(
            f"OpenVINO was loaded in process {_core_process} before it forked this one, {process}, and does "
            'not work after a fork: start processes by the method "spawn", or open the model with '
            'engine="onnxruntime"'
        )
    openvino = _import_openvino()
    _core_process = process
    with _core_lock:
        if _core is None:
            _core = openvino.Core()
        return _core


def _check_precision(core: Any, precision: str) -> None:
    if precision not in _HINTS:
        raise OptionError(f'precision: got {precision!r}; expected "fp32" or "bf16"')
    obstacle = _bf16_obstacle(core) if precision == "bf16" else ""
    if obstacle:
        raise EngineError(f"{obstacle}: use the FP32 model")


def bf16_obstacle() -> str:
    """Return why OpenVINO cannot compute in BF16 here; an empty string if it can."""
    try:
        return _bf16_obstacle(shared_core())
    except EngineError as error:
        return str(error)


def _bf16_obstacle(core: Any) -> str:
    capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if "BF16" in capabilities:
        return ""
    return f"this CPU does not support BF16 (OpenVINO finds {', '.join(capabilities)})"


def _read_model(openvino: Any, path: Path) -> Any:
    """Read an ONNX file with OpenVINO's ONNX reader; the general reader tries all formats, noisily."""
    try:
        reader = openvino.frontend.FrontEndManager().load_by_framework("onnx")
        model = reader.convert(reader.load(str(path)))
        inputs, outputs = _described(model.inputs), _described(model.outputs)
    except Exception as error:  # unlike the rest of OpenVINO, its readers do not raise RuntimeError
        raise ModelError(f"{path}: not an ONNX model that OpenVINO can load ({one_line(error)})") from None
    check_graph(path, inputs, outputs)
    return model


def _described(values: Any) -> set[tuple[str, str, int]]:
    """Return name, element type and number of dimensions of a model's inputs or outputs."""
    return {
        (
            value.get_any_name(),
            {"f32": "float32"}.get(value.element_type.get_type_name(), "other"),
            value.partial_shape.rank.get_length(),
        )
        for value in values
    }


def _compile(core: Any, model: Any, precision: str, threads: int) -> Any:
    options = {
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,  # one run at a time with all threads: results in order, little memory
        "ENABLE_CPU_PINNING": False,  # two processes would be pinned to the same cores
    }
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    try:
        return core.compile_model(model, "CPU", options)
    except RuntimeError as error:
        raise EngineError(f"OpenVINO cannot compile the model for this CPU: {one_line(error)}") from None
