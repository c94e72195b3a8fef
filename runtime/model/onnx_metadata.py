"""Read the metadata of an ONNX file without an ONNX library, which a device may lack."""

import os
from collections.abc import Iterator
from pathlib import Path

from retinagan.runtime.errors import ModelError

# Fields of the messages ModelProto and StringStringEntryProto in ONNX's onnx.proto.
_METADATA_PROPS, _KEY, _VALUE = 14, 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def onnx_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return the key-value pairs (`metadata_props`) of an ONNX file.

    Parameters
    ----------
    path : str or path
        The file; only its outermost fields are parsed.

    Returns
    -------
    dict of str to str

    Raises
    ------
    ModelError
        If the file cannot be read, is not an ONNX file, or is truncated.
    """
    try:
        fields = _fields(memoryview(Path(path).read_bytes()))
        return dict(_entry(content) for field, content in fields if field == _METADATA_PROPS)
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model file ({error.strerror})") from None
    except (ValueError, IndexError):
        raise ModelError(f"{path}: not an ONNX file, or a truncated one: get it again") from None


def _entry(message: memoryview) -> tuple[str, str]:
    texts = {field: str(content, "utf-8") for field, content in _fields(message)}
    return texts.get(_KEY, ""), texts.get(_VALUE, "")


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the number and content of each field of a protobuf message; integers have no content."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        field, kind = tag >> 3, tag & 7
        length = {_FIXED64: 8, _FIXED32: 4}.get(kind, 0)
        if kind == _VARINT:
            _, position = _varint(message, position)
        elif kind == _BYTES:
            length, position = _varint(message, position)
        elif not length:
            raise ValueError(f"kind {kind} of field {field} is unknown")
        end = position + length
        if end > len(message):
            raise ValueError("the last field is cut")
        yield field, message[position:end]
        position = end


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """Read a variable-length integer; return it and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
    raise ValueError("an integer of more than ten bytes")
