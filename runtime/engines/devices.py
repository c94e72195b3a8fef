"""Where an engine computes: the CPU, or one of the GPUs."""

import re

from retinagan.runtime.errors import OptionError

DEVICES = ("auto", "cpu", "cuda")
"""What may be asked for as a device, besides "cuda:N" for the GPU numbered N; "cuda" is the first."""


def parse_device(device: str) -> tuple[str, int]:
    """Split a device into its kind, of `DEVICES`, and the number of the GPU, from 0.

    Raises
    ------
    OptionError
        If it is no device.
    """
    found = re.fullmatch(r"cuda:(\d{1,3})", device) if isinstance(device, str) else None
    if found:
        return "cuda", int(found[1])
    if device in DEVICES:
        return device, 0
    hint = f'; "{device}" is an engine' if device in ("onnxruntime", "openvino", "tensorrt") else ""
    raise OptionError(f'device: got {device!r}; expected "auto", "cpu", "cuda" or "cuda:N"{hint}')
