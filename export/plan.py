"""`retina-export --plan`: print what the command would do here, without doing it."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from retinagan.export.options import MEANT_FOR, ExportOptions
from retinagan.runtime.engines.cuda.driver import find_gpu
from retinagan.runtime.engines.openvino import bf16_obstacle
from retinagan.runtime.engines.tensorrt.device import import_tensorrt
from retinagan.runtime.errors import EngineError

_EXTRA = {"torch": "export", "onnx": "export", "onnxscript": "export", "onnxruntime": "cpu"}
"""Packages that an export from a checkpoint needs, and the extra that installs each."""
_SOMETIMES = {"sklearn": "export", "openvino": "openvino"}
"""Packages that are also needed to score against vessel maps and to prove BF16."""


@dataclass(frozen=True)
class Request:
    """What the user requested.

    Attributes
    ----------
    source : path
        A checkpoint or an ONNX file.
    out : path
    options : ExportOptions or None
        None if no ONNX file is written: an engine is built from the given one.
    engine : str
        "none", "tensorrt" or "tensorrt-rtx".
    """

    source: Path
    out: Path
    options: ExportOptions | None
    engine: str

    @property
    def is_onnx(self) -> bool:
        """Whether the source is an ONNX file."""
        return self.source.suffix == ".onnx"


def engine_obstacle(engine: str) -> str:
    """Return why an engine cannot be built here; an empty string if it can."""
    try:
        import_tensorrt(engine.replace("-", "_"))
        if engine == "tensorrt":
            find_gpu()
    except EngineError as error:
        return str(error)
    return ""


def require_possible(request: Request) -> None:
    """Raise an error before the work starts if it cannot be done here.

    Raises
    ------
    EngineError
        If a package is missing, the CPU cannot prove BF16, or the requested engine cannot be built here.
    """
    _require_installed(request)
    if request.options is None:
        return
    if "bf16" in request.options.precisions and (obstacle := bf16_obstacle()):
        raise EngineError(f"--precision bf16 cannot be proven here: {obstacle}; leave bf16 out")
    if request.engine != "none" and (obstacle := engine_obstacle(request.engine)):
        raise EngineError(
            f"--engine {request.engine} cannot be built here: {obstacle}. For the ONNX files only, "
            "omit --engine"
        )


def _require_installed(request: Request) -> None:
    missing = [name for name in _needed(request) if importlib.util.find_spec(name) is None]
    if missing:
        extras = ",".join(sorted({(_EXTRA | _SOMETIMES)[name] for name in missing}))
        raise EngineError(
            f"the export needs packages that are not installed: {', '.join(missing)}; "
            f'type  pip install "retinagan[{extras}]"'
        )


def plan_lines(request: Request) -> list[tuple[str, str]]:
    """
    Describe what would be done.

    Parameters
    ----------
    request : Request

    Returns
    -------
    list of (str, str)
        Lines to print, each with its heading.

    Raises
    ------
    EngineError, InputError
        If it cannot be done: a package is missing, or a folder has no images or too few.
    """
    lines = [("source", f"{request.source}, {'an ONNX file' if request.is_onnx else 'a checkpoint'}")]
    require_possible(request)
    if not request.source.is_file():
        lines.append(("", "which does not exist"))
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in _needed(request) if name in _EXTRA)
    lines.append(("with", versions or "no torch, onnx or onnxruntime: none is needed"))
    if request.options is not None:
        lines += _export_lines(request, request.options)
    lines.append(("engine", _engine_line(request)))
    return lines


def device_line(onnx: Path, batch: Sequence[int] | None) -> str:
    """Return the command to type on the device that will run an ONNX file with TensorRT."""
    sizes = "" if batch is None else f" --batch {' '.join(map(str, batch))}"
    return f"retina-export {onnx.name} --out . --engine tensorrt{sizes}"


def _needed(request: Request) -> list[str]:
    if request.options is None:
        return []
    needed = ["onnx", "onnxruntime"] if request.is_onnx else list(_EXTRA)
    verify = request.options.verify
    if verify is not None:
        from retinagan.export.proof.images import ImageFolder

        needed += ["sklearn"] if ImageFolder(verify, "test").has_truth else []
    return needed + (["openvino"] if "bf16" in request.options.precisions else [])


def _export_lines(request: Request, options: ExportOptions) -> list[tuple[str, str]]:
    from retinagan.export.graph.calibration import calibration_images
    from retinagan.export.proof.images import ImageFolder, synthetic_images

    name = options.changes.name or "NAME"
    lines = []
    for precision in options.precisions:
        suffix = "" if precision == "fp32" else f"-{precision}"
        lines.append(("writes", f"{request.out / f'{name}{suffix}.onnx'}, for {MEANT_FOR[precision]}"))
    if options.calibrate is not None:
        folder = ImageFolder(options.calibrate, "training")
        count = len(calibration_images(folder) if options.quantized else folder.find_paths())
        lines.append(("calibrates", f"with {count} images of {options.calibrate}"))
    proof = f"on {len(list(synthetic_images()))} synthetic images, kept as {request.out / f'{name}-proof'}"
    if options.verify is not None:
        verified = ImageFolder(options.verify, "test")
        truth = "with" if verified.has_truth else "without"
        proof += f", and on {len(verified.find_paths())} images of {options.verify} {truth} vessel maps"
    lines.append(("proves", proof))
    return lines


def _engine_line(request: Request) -> str:
    obstacle = "" if request.engine == "none" else engine_obstacle(request.engine)
    if obstacle:
        return f"{request.engine}, but it cannot be built here: {obstacle}"
    if request.engine != "none":
        return f"built by {request.engine} from each portable ONNX file"
    return "none; --engine builds one"
