import contextlib
import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retinagan.runtime.serve.errors import RequestError
from retinagan.runtime.serve.protocol import (
    HEADER_LENGTH,
    model_metadata,
    read_request,
    server_metadata,
    write_response,
)
from retinagan.runtime.serve.values import shown

IMAGE = {"name": "image", "datatype": "UINT8", "shape": [1, 2, 3], "data": [1, 2, 3, 4, 5, 6]}
BINARY = {**{key: IMAGE[key] for key in ("name", "datatype", "shape")}, "parameters": {"binary_data_size": 6}}


def body(**content) -> bytes:
    return json.dumps({"inputs": [IMAGE]} | content).encode()


def test_the_server_and_the_model_describe_themselves():
    assert server_metadata("1.2") == {
        "name": "retina-serve",
        "version": "1.2",
        "extensions": ["binary_tensor_data"],
    }
    described = model_metadata("retina-gan")
    assert described["inputs"] == [
        {"name": "image", "datatype": "UINT8", "shape": [-1, -1, 3]},
        {"name": "file", "datatype": "BYTES", "shape": [1]},
    ]
    assert [output["name"] for output in described["outputs"]] == ["vessels", "probability", "roi", "report"]


def test_a_request_in_json():
    request = read_request(body(id="a", parameters={"field_of_view": 45}), None)
    assert request.id == "a"
    assert request.parameters == {"field_of_view": 45}
    assert request.inputs["image"].tolist() == [[[1, 2, 3], [4, 5, 6]]]
    assert [(output.tensor.name, output.binary) for output in request.outputs] == [
        ("vessels", False),
        ("probability", False),
        ("roi", False),
        ("report", False),
    ]


def test_a_request_with_binary_tensors():
    header = json.dumps(
        {
            "inputs": [BINARY],
            "outputs": [{"name": "roi"}, {"name": "report", "parameters": {"binary_data": False}}],
            "parameters": {"binary_data_output": True},
        }
    ).encode()
    request = read_request(header + bytes(range(6)), str(len(header)))
    assert request.inputs["image"].ravel().tolist() == list(range(6))
    assert request.parameters == {}
    assert [(output.tensor.name, output.binary) for output in request.outputs] == [
        ("roi", True),
        ("report", False),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the request is not JSON"),
        (b"\xff\xfe", "the request is not JSON"),
        (b"[" * 100_000, "the request is not JSON (nested too deeply)"),
        (b"[]", "request: got []; expected a JSON object"),
        (b"{}", "inputs: got null; expected a list of tensors"),
        (body(inputs=[]), "inputs: got []; expected a list of tensors"),
        (body(inputs=[3]), "inputs: got 3; expected a JSON object"),
        (body(id=3), "id: got 3; expected text"),
        (body(parameters=[]), "parameters: got []; expected a JSON object"),
        (body(parameters={"binary_data_output": 1}), "binary_data_output: got 1; expected true or false"),
        (body(colour=1), 'request: got ["colour"]; expected id, parameters, inputs, outputs'),
        (body(inputs=[{**IMAGE, "name": "photo"}]), 'inputs: got name "photo"; expected image, file'),
        (body(inputs=[{**IMAGE, "name": ["image"]}]), 'inputs: got name ["image"]; expected image, file'),
        (body(inputs=[IMAGE, IMAGE]), "inputs: 'image' is there twice; expected it once"),
        (body(inputs=[{**IMAGE, "datatype": "FP32"}]), 'image: got datatype "FP32"; expected UINT8'),
        (body(inputs=[{**IMAGE, "shape": [1, 2, 4]}]), "image: got shape [1, 2, 4]; expected [any, any, 3]"),
        (
            body(inputs=[{**IMAGE, "shape": [1, -2, 3]}]),
            "image: got shape [1, -2, 3]; expected [any, any, 3]",
        ),
        (
            body(inputs=[{**IMAGE, "shape": [1, 2.0, 3]}]),
            "image: got shape [1, 2.0, 3]; expected [any, any, 3]",
        ),
        (body(inputs=[{**IMAGE, "shape": 3}]), "image: got shape 3; expected [any, any, 3]"),
        (body(inputs=[{**IMAGE, "shape": [10**4000, 10**4000, 3]}]), "image: got shape [1000"),
        (
            body(inputs=[{**IMAGE, "parameters": {"\ud800": 1}}]),
            "inputs: 'image': got the parameters [\"\\ud800\"]; expected binary_data_size",
        ),
        (
            body(inputs=[BINARY]),
            "inputs: 'image' has binary_data_size 6; 0 bytes of binary data are left for it",
        ),
        (
            body(inputs=[{**IMAGE, "parameters": {"shared_memory_region": "a"}}]),
            "inputs: 'image': got the parameters [\"shared_memory_region\"]; expected binary_data_size",
        ),
        (
            body(outputs=[{"name": "map"}]),
            'outputs: got name "map"; expected vessels, probability, roi, report',
        ),
        (body(outputs=[{"name": "roi"}] * 2), "outputs: 'roi' is there twice; expected it once"),
        (
            body(outputs=[{"name": "roi", "parameters": {"classification": 3}}]),
            "outputs: 'roi': got the parameters [\"classification\"]; expected binary_data",
        ),
        (
            body(outputs=[{"name": "roi", "parameters": {"binary_data": "yes"}}]),
            'binary_data: got "yes"; expected true or false',
        ),
    ],
)
def test_what_is_wrong_with_a_request(content, message):
    with pytest.raises(RequestError, match=f"^{re.escape(message)}") as caught:
        read_request(content, None)
    assert caught.value.status == 400


@pytest.mark.parametrize("size", [-1, 7, True, "6", 2.0])
def test_a_binary_size_that_cannot_be(size):
    header = body(inputs=[{**BINARY, "parameters": {"binary_data_size": size}}])
    with pytest.raises(RequestError, match="6 bytes of binary data are left for it"):
        read_request(header + bytes(6), str(len(header)))


def test_bytes_that_belong_to_no_input():
    header = body(inputs=[BINARY])
    with pytest.raises(RequestError, match="the body has 2 bytes more than its inputs take"):
        read_request(header + bytes(8), str(len(header)))


@pytest.mark.parametrize("length", ["-1", "x", "999999", "", "²", "9" * 5000])
def test_a_length_of_the_json_that_cannot_be(length):
    with pytest.raises(
        RequestError, match=re.escape(f"{HEADER_LENGTH}: got {shown(length)}; expected the length of")
    ):
        read_request(body(), length)


def test_too_much_json():
    with pytest.raises(
        RequestError, match="has 16777217 bytes of JSON; expected at most 16777216: send"
    ) as caught:
        read_request(b" " * (1 + (16 << 20)), None)
    assert caught.value.status == 413


TENSORS = {"vessels": np.array([[True, False]]), "report": np.array([b"{}"], np.object_)}


def test_a_response_in_json():
    request = read_request(body(id="a", outputs=[{"name": "vessels"}, {"name": "report"}]), None)
    written, length = write_response("retina-gan", request, TENSORS, {"status": "done"})
    assert length is None
    assert json.loads(written) == {
        "model_name": "retina-gan",
        "model_version": "1",
        "id": "a",
        "parameters": {"status": "done"},
        "outputs": [
            {"name": "vessels", "shape": [1, 2], "datatype": "BOOL", "data": [True, False]},
            {"name": "report", "shape": [1], "datatype": "BYTES", "data": ["{}"]},
        ],
    }


def test_a_response_with_binary_tensors():
    outputs = [{"name": "report", "parameters": {"binary_data": True}}, {"name": "vessels"}]
    request = read_request(body(outputs=outputs, parameters={"binary_data_output": True}), None)
    written, length = write_response("retina-gan", request, TENSORS, {})
    described = json.loads(written[:length])
    assert "id" not in described
    assert [output["parameters"]["binary_data_size"] for output in described["outputs"]] == [6, 2]
    assert written[length:] == b"\2\0\0\0{}\1\0"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["name", "datatype", "shape", "data", "parameters", "binary_data_size", "x"]),
            inner,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(("id", "inputs", "outputs", "parameters", "y"), VALUES)),
    st.sampled_from(["image", "file", None]),
    VALUES,
    st.binary(max_size=12),
)
def test_any_json_is_read_or_refused(content, name, value, tail):
    if name is not None:
        tensor = {"name": name, "datatype": "UINT8" if name == "image" else "BYTES", "shape": value}
        content["inputs"] = [tensor | {"data": value, "parameters": {"binary_data_size": len(tail)}}]
    header = json.dumps(content).encode()
    for length in (str(len(header)), None):
        with contextlib.suppress(RequestError):
            read_request(header + tail, length)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.binary(max_size=200), st.none() | st.integers(0, 300).map(str))
def test_any_bytes_are_read_or_refused(content, length):
    with contextlib.suppress(RequestError):
        read_request(content, length)
