"""Where a training computes, and in which number format."""

from __future__ import annotations

from pathlib import Path

import torch

from retinagan.runtime.errors import OptionError

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("fp32", "bf16", "fp16")
"""Number formats of a net's inner products. Weights, losses and optimizers are in FP32 always."""

_CPU_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def choose_device(name: str, index: int = 0) -> torch.device:
    """Give the device that a name stands for.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda"}
        "auto" takes a CUDA device where there is one.
    index : int
        Which of the machine's CUDA devices.

    Raises
    ------
    OptionError
        If "cuda" is asked for and there is no such device, or the name is none of these.
    """
    if name not in DEVICES:
        raise OptionError(f"--device {name}: expected one of {', '.join(DEVICES)}")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and count == 0):
        return torch.device("cpu")
    if index >= count:
        build = f"torch {torch.__version__} finds {count} CUDA devices, number {index} was asked for"
        raise OptionError(f"--device cuda: {build}; install a torch built for CUDA, or take --device cpu")
    return torch.device("cuda", index)


def choose_precision(name: str, device: torch.device) -> str:
    """Give the number format that a name stands for on a device.

    Parameters
    ----------
    name : {"auto", "fp32", "bf16", "fp16"}
        "auto" takes bfloat16 where the hardware computes in it, else FP16 on CUDA and FP32 on a CPU: a CPU
        that emulates bfloat16 is many times slower than in FP32.
    device : torch.device
        Where the training computes.
    """
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"
    return "bf16" if _cpu_flags() & _CPU_FLAGS else "fp32"


def _cpu_flags(path: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Give what Linux says of the CPU's instructions; nothing elsewhere."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(
        flag for line in lines if line.startswith(("flags", "Features")) for flag in line.split()
    )


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Give a context in which convolutions are computed in that format."""
    kind = torch.float16 if precision == "fp16" else torch.bfloat16
    return torch.autocast(device.type, kind, enabled=precision != "fp32")
