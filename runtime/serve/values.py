"""Arrays from and to the bytes and the JSON values of tensors in KServe V2."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.serve.errors import RequestError
from retinagan.runtime.serve.tensors import DTYPES, Tensor

MOST_VALUES = 1 << 21
"""The most values of an output in JSON, where a number takes some 20 bytes and a Python object."""


def from_values(tensor: Tensor, shape: tuple[int, ...], values: object) -> NDArray[Any]:
    """Return an input from its JSON values, nested or flat.

    Raises
    ------
    RequestError
        If they are not whole numbers from 0 to 255, as many as the shape has, or the input has none such.
    """
    if tensor.datatype != "UINT8":
        raise RequestError(
            f"{tensor.name}: got its content in JSON; send it as binary data (binary_data_size)"
        )
    try:
        array = np.array(values, np.object_)  # as text, each element would take the room of the longest
    except ValueError:
        array = np.array(None)
    if set(map(type, array.flat)) != {int} or array.size != math.prod(shape):
        raise RequestError(
            f"{tensor.name}: data: expected whole numbers from 0 to 255, {math.prod(shape)} by the shape"
        )
    least, most = min(array.flat), max(array.flat)
    if least < 0 or most > 255:
        raise RequestError(
            f"{tensor.name}: data: got values from {shown(least)} to {shown(most)}; expected 0 to 255"
        )
    return array.astype(np.uint8).reshape(shape)


def from_bytes(tensor: Tensor, shape: tuple[int, ...], content: memoryview) -> NDArray[Any]:
    """Return an input from its bytes, which it keeps referring to.

    Raises
    ------
    RequestError
        If the number of bytes is not that of the shape.
    """
    if tensor.datatype == "BYTES":
        return np.array([_only_element(tensor, content)], np.object_)
    dtype = np.dtype(DTYPES[tensor.datatype])
    expected = math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        raise RequestError(
            f"{tensor.name}: got {len(content)} bytes; expected {expected} for shape {list(shape)} of "
            f"{tensor.datatype}"
        )
    return np.frombuffer(content, dtype).reshape(shape)


def as_bytes(tensor: Tensor, array: NDArray[Any]) -> bytes:
    """Return an output as bytes, in C order; elements of BYTES have their length before them."""
    if tensor.datatype == "BYTES":
        return b"".join(struct.pack("<I", len(element)) + element for element in array.flat)
    return np.ascontiguousarray(array).tobytes()


def as_values(tensor: Tensor, array: NDArray[Any]) -> list[Any]:
    """Return an output as flat JSON values.

    Raises
    ------
    RequestError
        If there are more than `MOST_VALUES`.
    """
    if array.size > MOST_VALUES:
        raise RequestError(
            f"outputs: {tensor.name!r} has {array.size} values; expected at most {MOST_VALUES} in JSON: "
            "ask for it with the parameter binary_data",
        )
    if tensor.datatype == "BYTES":
        return [element.decode("utf-8") for element in array.flat]
    return array.ravel().tolist()  # type: ignore[no-any-return]


def shown(value: object) -> str:
    """Return a value of a request as JSON, cut to what fits into a line."""
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _only_element(tensor: Tensor, content: memoryview) -> bytes:
    """Return the only element of a BYTES tensor, which has its length in 4 bytes before it."""
    if len(content) < 4 or struct.unpack("<I", content[:4])[0] != len(content) - 4:
        raise RequestError(
            f"{tensor.name}: got {len(content)} bytes; expected one element: its length in 4 bytes (little "
            "endian), then so many bytes"
        )
    return bytes(content[4:])
