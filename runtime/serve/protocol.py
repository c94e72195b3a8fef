"""Requests and responses of the KServe V2 inference protocol with its binary tensor extension.

A body is JSON, followed by the bytes of the tensors that the JSON announces with ``binary_data_size``; the
HTTP header `HEADER_LENGTH` has the length of the JSON. See
https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol and Triton's
``extension_binary_data``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from retinagan.runtime.serve.errors import RequestError
from retinagan.runtime.serve.tensors import INPUTS, OUTPUTS, VERSION, Tensor
from retinagan.runtime.serve.values import as_bytes, as_values, from_bytes, from_values, shown

HEADER_LENGTH = "Inference-Header-Content-Length"
EXTENSIONS = ("binary_tensor_data",)

_MOST_JSON = 16 << 20


@dataclass(frozen=True)
class RequestedOutput:
    """An output that a request asks for; `binary` is whether it is sent as bytes or in JSON."""

    tensor: Tensor
    binary: bool


@dataclass(frozen=True, eq=False)
class InferenceRequest:
    """A request, its tensors as arrays; `inputs` refer to the memory of the body."""

    id: str
    inputs: Mapping[str, NDArray[Any]]
    outputs: Sequence[RequestedOutput]
    parameters: Mapping[str, Any]


def server_metadata(version: str) -> dict[str, Any]:
    """Return what ``GET /v2`` answers."""
    return {"name": "retina-serve", "version": version, "extensions": list(EXTENSIONS)}


def model_metadata(name: str) -> dict[str, Any]:
    """Return what ``GET /v2/models/NAME`` answers."""
    return {
        "name": name,
        "versions": [VERSION],
        "platform": "retinagan",
        "inputs": [_declared(tensor) for tensor in INPUTS],
        "outputs": [_declared(tensor) for tensor in OUTPUTS],
    }


def read_request(body: bytes, header_length: str | None) -> InferenceRequest:
    """Read the body of an inference request.

    Parameters
    ----------
    body : bytes
        JSON and binary tensors.
    header_length : str or None
        The header `HEADER_LENGTH`; None if all of the body is JSON.

    Raises
    ------
    RequestError
        If anything in it is not as the protocol and the model's tensors say.
    """
    length = _json_length(header_length, len(body))
    content = _loaded(body[:length])
    parameters = _parameters(content)
    binary_by_default = parameters.pop("binary_data_output", False)
    given, requested = content.pop("inputs", None), content.pop("outputs", None)
    identifier = content.pop("id", "")
    if not isinstance(identifier, str):
        raise RequestError(f"id: got {shown(identifier)}; expected text")
    if content:
        raise RequestError(f"request: got {shown(sorted(content))}; expected id, parameters, inputs, outputs")
    return InferenceRequest(
        identifier,
        _inputs(given, memoryview(body)[length:]),
        _outputs(requested, _flag("binary_data_output", binary_by_default)),
        parameters,
    )


def write_response(
    model: str,
    request: InferenceRequest,
    tensors: Mapping[str, NDArray[Any]],
    parameters: Mapping[str, Any],
) -> tuple[bytes, int | None]:
    """Return the body of a response, and the length of its JSON if bytes of tensors follow that.

    Parameters
    ----------
    model : str
        The model's name.
    request : InferenceRequest
        What is answered.
    tensors : mapping of str to array
        At least the outputs that were requested.
    parameters : mapping of str to str, int, float or bool
        The response's parameters.

    Raises
    ------
    RequestError
        If an output has too many values to be written as JSON.
    """
    described, binary = [], []
    for output in request.outputs:
        array = tensors[output.tensor.name]
        entry: dict[str, Any] = {
            "name": output.tensor.name,
            "shape": list(array.shape),
            "datatype": output.tensor.datatype,
        }
        if output.binary:
            content = as_bytes(output.tensor, array)
            entry["parameters"] = {"binary_data_size": len(content)}
            binary.append(content)
        else:
            entry["data"] = as_values(output.tensor, array)
        described.append(entry)
    answer = {
        "model_name": model,
        "model_version": VERSION,
        "parameters": dict(parameters),
        "outputs": described,
    }
    if request.id:
        answer["id"] = request.id
    header = json.dumps(answer, allow_nan=False).encode("ascii")
    return b"".join([header, *binary]), len(header) if binary else None


def _declared(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}


def _json_length(header_length: str | None, available: int) -> int:
    length = available
    if header_length is not None:
        whole = header_length.isascii() and header_length.isdigit() and len(header_length) < 20
        if not whole or int(header_length) > available:
            raise RequestError(
                f"{HEADER_LENGTH}: got {shown(header_length)}; expected the length of the body's JSON, "
                f"at most {available}"
            )
        length = int(header_length)
    if length > _MOST_JSON:
        raise RequestError(
            f"the request has {length} bytes of JSON; expected at most {_MOST_JSON}: send tensors as binary "
            f"data, with the header {HEADER_LENGTH}",
            413,
        )
    return length


def _loaded(text: bytes) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise RequestError(
            f"the request is not JSON ({reason}); if binary tensors follow the JSON, give its length in the "
            f"header {HEADER_LENGTH}"
        ) from None
    return _mapping("request", content)


def _parameters(holder: dict[str, Any]) -> dict[str, Any]:
    """Take the parameters out of an object of the request."""
    return dict(_mapping("parameters", holder.pop("parameters", {})))


def _only_parameter(where: str, described: dict[str, Any], name: str) -> object:
    """Return a tensor's one parameter, None without it; refuse others, such as shared memory."""
    parameters = _parameters(described)
    value = parameters.pop(name, None)
    if parameters:
        raise RequestError(f"{where}: got the parameters {shown(sorted(parameters))}; expected {name}")
    return value


def _inputs(given: object, binary: memoryview) -> dict[str, NDArray[Any]]:
    known = {tensor.name: tensor for tensor in INPUTS}
    arrays: dict[str, NDArray[Any]] = {}
    position = 0
    for entry in _list("inputs", given):
        described = dict(_mapping("inputs", entry))
        tensor = _tensor("inputs", described.get("name"), known)
        if tensor.name in arrays:
            raise RequestError(f"inputs: {tensor.name!r} is there twice; expected it once")
        shape = _shape(tensor, described)
        size = _only_parameter(f"inputs: {tensor.name!r}", described, "binary_data_size")
        if size is None:
            arrays[tensor.name] = from_values(tensor, shape, described.get("data"))
            continue
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(binary) - position:
            raise RequestError(
                f"inputs: {tensor.name!r} has binary_data_size {shown(size)}; "
                f"{len(binary) - position} bytes of binary data are left for it"
            )
        arrays[tensor.name] = from_bytes(tensor, shape, binary[position : position + size])
        position += size
    if position != len(binary):
        raise RequestError(
            f"the body has {len(binary) - position} bytes more than its inputs take by their binary_data_size"
        )
    return arrays


def _outputs(requested: object, binary: bool) -> list[RequestedOutput]:
    if requested is None or requested == []:
        return [RequestedOutput(tensor, binary) for tensor in OUTPUTS]
    known = {tensor.name: tensor for tensor in OUTPUTS}
    outputs: list[RequestedOutput] = []
    for entry in _list("outputs", requested):
        described = dict(_mapping("outputs", entry))
        tensor = _tensor("outputs", described.get("name"), known)
        if any(output.tensor == tensor for output in outputs):
            raise RequestError(f"outputs: {tensor.name!r} is there twice; expected it once")
        wanted = _only_parameter(f"outputs: {tensor.name!r}", described, "binary_data")
        outputs.append(RequestedOutput(tensor, _flag("binary_data", binary if wanted is None else wanted)))
    return outputs


def _tensor(where: str, name: object, known: Mapping[str, Tensor]) -> Tensor:
    if not isinstance(name, str) or name not in known:
        raise RequestError(f"{where}: got name {shown(name)}; expected {', '.join(known)}")
    return known[name]


def _shape(tensor: Tensor, described: Mapping[str, Any]) -> tuple[int, ...]:
    datatype, shape = described.get("datatype"), described.get("shape")
    if datatype != tensor.datatype:
        raise RequestError(f"{tensor.name}: got datatype {shown(datatype)}; expected {tensor.datatype}")
    right = isinstance(shape, list) and all(type(length) is int for length in shape)
    if not right or not tensor.fits(tuple(shape or ())):
        lengths = ", ".join("any" if length < 0 else str(length) for length in tensor.shape)
        raise RequestError(f"{tensor.name}: got shape {shown(shape)}; expected [{lengths}]")
    return tuple(shape or ())


def _mapping(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RequestError(f"{name}: got {shown(value)}; expected a JSON object")
    return value


def _list(name: str, value: object) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise RequestError(f"{name}: got {shown(value)}; expected a list of tensors")
    return value


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise RequestError(f"{name}: got {shown(value)}; expected true or false")
    return value
