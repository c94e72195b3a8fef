"""Describe this computer: its processor, its GPUs, and whether it is a Jetson."""

import ctypes
import os
import platform
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

_FEATURES = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx_vnni": "VNNI",
    "avx512_vnni": "VNNI",
    "avx512_bf16": "BF16",
    "amx_tile": "AMX",
    "asimd": "NEON",
    "asimddp": "dot product",
    "i8mm": "INT8 matrices",
    "bf16": "BF16",
    "sve": "SVE",
}
"""Flags in /proc/cpuinfo that decide how fast an engine is, and their usual names."""

_JETPACKS = {"34": "5", "35": "5", "36": "6", "38": "7"}
_NAME_LENGTH = 256


def describe_cpu(information: str | None = None) -> str:
    """Describe the processor: its name, the cores that this process may use, and its vector instructions.

    Parameters
    ----------
    information : str, optional
        Contents of /proc/cpuinfo; read from the file by default.
    """
    text = _read("/proc/cpuinfo") if information is None else information
    name = _value(text, "model name") or _value(text, "Model") or platform.processor() or platform.machine()
    flags = set(f"{_value(text, 'flags')} {_value(text, 'Features')}".split())
    features = dict.fromkeys(word for flag, word in _FEATURES.items() if flag in flags)
    return f"{name}; {_cores()}; {', '.join(features) or 'no known vector instructions'}"


def _value(text: str, key: str) -> str:
    """Return the first value of a key in /proc/cpuinfo, or an empty string."""
    found = re.search(rf"^{key}\s*:[ \t]*(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else ""


def _cores() -> str:
    total = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else total
    return f"{total} cores" if usable == total else f"{usable} of {total} cores usable"


def describe_gpus(open_library: Callable[[str], Any] = ctypes.CDLL) -> str:
    """Describe the driver and all GPUs; engines use the first by default.

    Parameters
    ----------
    open_library : callable
        Opens a shared library by name; raises OSError if it cannot.

    Raises
    ------
    EngineError
        If there is no driver, the driver does not start, or it finds no GPU.
    """
    from retinagan.runtime.engines.cuda.driver import (
        LIBRARY,
        call,
        find_gpu,
    )  # imports numpy, unlike the rest

    first = find_gpu(open_library)
    driver, count = open_library(LIBRARY), ctypes.c_int()
    call(driver, "cuDeviceGetCount", ctypes.byref(count))
    others = ""
    for number in range(1, count.value):
        device, name = ctypes.c_int(), ctypes.create_string_buffer(_NAME_LENGTH)
        call(driver, "cuDeviceGet", ctypes.byref(device), ctypes.c_int(number))
        call(driver, "cuDeviceGetName", name, ctypes.c_int(_NAME_LENGTH), device)
        others += f"; {name.value.decode('utf-8', 'replace')}"
    capability = f"compute capability {first.compute_capability}"
    memory = f"{first.memory / 2**30:.1f} GiB"
    return f"{first.name}, {capability}, {memory}{others}; the driver supports CUDA up to {first.cuda}"


def has_driver(open_library: Callable[[str], Any] = ctypes.CDLL) -> bool:
    """Whether NVIDIA's driver is installed, even if it does not work."""
    from retinagan.runtime.engines.cuda.driver import LIBRARY

    try:
        open_library(LIBRARY)
    except OSError:
        return False
    return True


def describe_jetson(release: str | Path = "/etc/nv_tegra_release") -> str:
    """Return the version of Jetson Linux and its JetPack; an empty string on other computers."""
    found = re.match(r"# R(\d+) \(release\), REVISION: ([\d.]+)", _read(release))
    if not found:
        return ""
    jetpack = _JETPACKS.get(found[1])
    return f"Jetson Linux {found[1]}.{found[2]}" + (f" (JetPack {jetpack})" if jetpack else "")


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
