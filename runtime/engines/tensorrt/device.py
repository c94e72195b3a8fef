"""TensorRT and TensorRT-RTX on this device: the module, the GPU, and whether an engine matches them."""

import importlib
import platform
from typing import Any

from retinagan.runtime.engines.cuda.driver import Gpu, find_gpu
from retinagan.runtime.errors import EngineError
from retinagan.runtime.model.parameters import EngineBuild

NAMES = {"tensorrt": "TensorRT", "tensorrt_rtx": "TensorRT-RTX"}
"""The products' names, by module."""

OLDEST = {"tensorrt": (8, 6), "tensorrt_rtx": (1, 0)}
"""The oldest versions that have everything used here."""

_INSTALL = {
    "tensorrt": 'on a Jetson create the environment with "python3 -m venv --system-site-packages" to use '
    'JetPack\'s, elsewhere type  pip install "retinagan[tensorrt]"',
    "tensorrt_rtx": "type  pip install tensorrt-rtx  (x86-64 only)",
}


def import_tensorrt(builder: str) -> Any:
    """
    Import the bindings of TensorRT or TensorRT-RTX, which share one interface.

    Parameters
    ----------
    builder : {"tensorrt", "tensorrt_rtx"}
        The module, as `EngineBuild.builder` names it.

    Raises
    ------
    EngineError
        If it cannot be imported or is too old.
    """
    name = NAMES[builder]
    try:
        module = importlib.import_module(builder)
        if not hasattr(module, "__version__"):
            raise ImportError(f"a folder named {builder} hides it")
    except (ImportError, OSError, RuntimeError) as error:  # its libraries may be missing or incompatible
        reason = " ".join(str(error).split())
        raise EngineError(f"{name} cannot be imported ({reason}): {_INSTALL[builder]}") from None
    version = tuple(int(part) for part in module.__version__.split(".")[:2])
    if version < OLDEST[builder]:
        oldest = ".".join(map(str, OLDEST[builder]))
        raise EngineError(f"{name} {module.__version__} is too old; expected {oldest} or newer: update it")
    return module


def this_system() -> str:
    """Return operating system and processor, such as "linux-aarch64"."""
    return f"{platform.system()}-{platform.machine()}".lower()


def rebuild_command(build: EngineBuild) -> str:
    """Return the command that rebuilds an engine on this device, from its ONNX file."""
    engine, batch = build.builder.replace("_", "-"), " ".join(map(str, build.batch))
    return f"retina-export {build.source} --out . --engine {engine} --batch {batch}"


def misfits(build: EngineBuild, index: int = 0) -> list[str]:
    """
    List why an engine cannot run on this device.

    A TensorRT engine runs with the version and on the GPU that it was built for. A TensorRT-RTX engine runs
    with its version on every RTX GPU of a compute capability or newer.

    Parameters
    ----------
    build : EngineBuild
        What the engine was built with and for.
    index : int
        The number of the GPU that is to run it, from 0.

    Returns
    -------
    list of str
        The reasons; empty if it can run.
    """
    name, reasons = NAMES[build.builder], []
    try:
        version = import_tensorrt(build.builder).__version__
        if version != build.version:
            reasons.append(f"it was built with {name} {build.version}, but this is {version}")
    except EngineError as error:
        reasons.append(str(error))
    if build.builder == "tensorrt" and build.system != this_system():
        reasons.append(f"it was built on {build.system}, but this is {this_system()}")
    try:
        reasons += _gpu_misfits(build, find_gpu(index=index))
    except EngineError as error:
        reasons.append(str(error))
    return reasons


def _gpu_misfits(build: EngineBuild, gpu: Gpu) -> list[str]:
    here = f"{gpu.name} with compute capability {gpu.compute_capability}"
    if build.builder == "tensorrt_rtx":
        if _number(gpu.compute_capability) >= _number(build.compute_capability):
            return []
        return [
            f"it needs a GPU of compute capability {build.compute_capability} or newer, but this is {here}"
        ]
    if (gpu.name, gpu.compute_capability) == (build.gpu, build.compute_capability):
        return []
    return [
        f"it was built for {build.gpu} with compute capability {build.compute_capability}, but this is {here}"
    ]


def _number(compute_capability: str) -> tuple[int, ...]:
    return tuple(int(part) for part in compute_capability.split("."))
