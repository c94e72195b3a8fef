"""NVIDIA's driver, called through ctypes: without a driver, TensorRT's own runtime kills the process."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from retinagan.runtime.errors import EngineError

LIBRARY = "libcuda.so.1"
_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, _MINOR
_NAME_LENGTH = 256


@dataclass(frozen=True)
class Gpu:
    """A GPU, as the driver describes it.

    Attributes
    ----------
    name : str
        Such as "Orin" or "NVIDIA GeForce RTX 4090".
    compute_capability : str
        Such as "8.7".
    memory : int
        Total, in bytes.
    cuda : str
        The newest CUDA version that the driver supports, such as "12.6".
    """

    name: str
    compute_capability: str
    memory: int
    cuda: str


def load(open_library: Callable[[str], Any] = ctypes.CDLL) -> Any:
    """Load the driver's library.

    Parameters
    ----------
    open_library : callable
        Opens a shared library by name; raises OSError if it cannot.

    Raises
    ------
    EngineError
        If there is no driver.
    """
    try:
        return open_library(LIBRARY)
    except OSError:
        raise EngineError(
            f"no NVIDIA driver ({LIBRARY} is not found): install one, or run the ONNX file on the CPU"
        ) from None


def find_gpu(open_library: Callable[[str], Any] = ctypes.CDLL, index: int = 0) -> Gpu:
    """Return the description of a GPU.

    Parameters
    ----------
    open_library : callable
        As for `load`.
    index : int
        The GPU's number, from 0, in the driver's order.

    Raises
    ------
    EngineError
        If there is no driver, the driver does not start, or there is no such GPU.
    """
    driver = load(open_library)
    call(driver, "cuInit", ctypes.c_uint(0))
    count = _number(driver, "cuDeviceGetCount")
    if count < 1:
        raise EngineError(
            "the NVIDIA driver finds no GPU: check nvidia-smi and the variable CUDA_VISIBLE_DEVICES"
        )
    if index >= count:
        gpus = "1 GPU" if count == 1 else f"{count} GPUs"
        raise EngineError(f"there is no cuda:{index}: the NVIDIA driver finds {gpus}, numbered from 0")
    device = ctypes.c_int(_number(driver, "cuDeviceGet", ctypes.c_int(index)))
    name = ctypes.create_string_buffer(_NAME_LENGTH)
    call(driver, "cuDeviceGetName", name, ctypes.c_int(_NAME_LENGTH), device)
    memory = ctypes.c_size_t()
    call(driver, "cuDeviceTotalMem_v2", ctypes.byref(memory), device)
    major, minor = (
        _number(driver, "cuDeviceGetAttribute", ctypes.c_int(which), device) for which in (_MAJOR, _MINOR)
    )
    cuda = _number(driver, "cuDriverGetVersion")
    return Gpu(
        name.value.decode("utf-8", "replace"),
        f"{major}.{minor}",
        memory.value,
        f"{cuda // 1000}.{cuda % 1000 // 10}",
    )


def _number(driver: Any, function: str, *arguments: object) -> int:
    """Call a function that writes one int to its first argument, and return that."""
    result = ctypes.c_int()
    call(driver, function, ctypes.byref(result), *arguments)
    return result.value


def call(driver: Any, function: str, *arguments: object) -> None:
    """Call one of the driver's functions; raise `EngineError` with its name if it fails."""
    try:
        code = getattr(driver, function)(*arguments)
    except AttributeError:
        raise EngineError(f"the NVIDIA driver is too old (it has no {function}): update it") from None
    if code:
        raise EngineError(
            f"the NVIDIA driver is not usable ({function} returns error {code}{_meaning(driver, code)}): "
            "check nvidia-smi"
        )


def _meaning(driver: Any, code: int) -> str:
    """Return the driver's name for an error, such as " CUDA_ERROR_NO_DEVICE", or an empty string."""
    text = ctypes.c_char_p()
    if driver.cuGetErrorName(ctypes.c_int(code), ctypes.byref(text)) or not text.value:
        return ""
    return " " + text.value.decode("ascii", "replace")
