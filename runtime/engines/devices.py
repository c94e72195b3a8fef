"""Where an engine runs: on the CPU or on one of the GPUs."""

import re

from retinagan.runtime.errors import OptionError

DEVICES = ("auto", "cpu", "cuda")
"""The devices, besides "cuda:N" for the GPU with number N; "cuda" is the first GPU."""


def parse_device(device: str) -> tuple[str, int]:
    """Split a device into its kind, one of `DEVICES`, and the number of the GPU, from 0.

    Raises
    ------
    OptionError
        If it is not a device.
    """
    found = re.fullmatch(r"cuda:(\d{1,3})", device) if isinstance(device, str) else None
    if found:
        return "cuda", int(found[1])
    if device in DEVICES:
        return device, 0
    hint = f'; "{device}" is an engine' if device in ("onnxruntime", "openvino", "tensorrt") else ""
    raise OptionError(f'device: got {device!r}; expected "auto", "cpu", "cuda" or "cuda:N"{hint}')
