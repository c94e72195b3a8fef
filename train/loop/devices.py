"""The device of a training, and its number format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from retinagan.runtime.errors import OptionError

if TYPE_CHECKING:  # the options of the commands are parsed before torch is imported, which takes seconds
    import torch

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("fp32", "bf16", "fp16")
"""Number formats of convolutions. Weights, losses and optimizers are always in FP32."""

_CPU_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def choose_device(name: str, index: int = 0) -> torch.device:
    """Return the device of a name.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda"}
        "auto" takes a CUDA device if there is one.
    index : int
        Index of the CUDA device.

    Raises
    ------
    OptionError
        If "cuda" is requested and there is no such device, or the name is unknown.
    """
    import torch

    if name not in DEVICES:
        raise OptionError(f"--device {name}: expected one of {', '.join(DEVICES)}")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and count == 0):
        return torch.device("cpu")
    if index >= count:
        build = f"torch {torch.__version__} finds {count} CUDA devices, device {index} is requested"
        raise OptionError(f"--device cuda: {build}; install a torch built for CUDA, or use --device cpu")
    return torch.device("cuda", index)


def choose_precision(name: str, device: torch.device) -> str:
    """Return the number format of a name on a device.

    Parameters
    ----------
    name : {"auto", "fp32", "bf16", "fp16"}
        "auto" takes bfloat16 if the hardware computes in it, else FP16 on CUDA and FP32 on a CPU: a CPU that
        emulates bfloat16 is many times slower than in FP32.
    device : torch.device
        Device of the training.
    """
    if name != "auto":
        return name
    if device.type == "cuda":
        import torch

        return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"
    return "bf16" if _cpu_flags() & _CPU_FLAGS else "fp32"


def _cpu_flags(path: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Return the CPU flags that Linux lists; none on other systems."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(
        flag for line in lines if line.startswith(("flags", "Features")) for flag in line.split()
    )


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return a context in which convolutions run in that format."""
    import torch

    kind = torch.float16 if precision == "fp16" else torch.bfloat16
    return torch.autocast(device.type, kind, enabled=precision != "fp32")
