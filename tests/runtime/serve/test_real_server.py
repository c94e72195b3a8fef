"""`retina-serve` in a process of its own, with NVIDIA's client, and with clients that behave badly."""

import http.client
import json
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import cv2
import numpy as np
import pytest

pytest.importorskip("fastapi", reason='retina-serve is not installed: pip install "retinagan[serve]"')
pytest.importorskip("tritonclient.http", reason='no client: pip install "tritonclient[http]"')

import tritonclient.http as triton
from drawn_retina import drawn_retina
from serving_process import serving
from tiny_model import write_tiny_model

from retinagan.runtime import Segmenter

pytestmark = pytest.mark.server

CLIENTS = 8


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(write_tiny_model(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def own(model):
    """The same model in this process."""
    with Segmenter(model, engine="onnxruntime", threads=1) as segmenter:
        yield segmenter


@pytest.fixture
def arguments(model) -> list[str]:
    return ["--model", model, "--engine", "onnxruntime", "--threads", "1"]


@pytest.fixture(scope="module")
def server(model):
    with serving("--model", model, "--engine", "onnxruntime", "--threads", "1") as process:
        yield process


@pytest.fixture
def client(server):
    with triton.InferenceServerClient(server.address, network_timeout=60) as opened:
        yield opened


def pixels_input(image: np.ndarray) -> list:
    tensor = triton.InferInput("image", image.shape, "UINT8")
    tensor.set_data_from_numpy(image)
    return [tensor]


def file_input(content: bytes) -> list:
    tensor = triton.InferInput("file", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([content], np.object_))
    return [tensor]


def test_tritons_client_finds_server_and_model(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("tiny")
    assert client.is_model_ready("tiny", "1")
    assert client.get_server_metadata()["name"] == "retina-serve"
    assert client.get_model_metadata("tiny")["inputs"][0]["shape"] == [-1, -1, 3]


@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
@pytest.mark.parametrize("kind", ["pixels", "file"])
def test_tritons_client_gets_the_maps_of_the_segmenter(client, own, kind, compression):
    image = drawn_retina(300, 260)[0]
    file = cv2.imencode(".png", image[..., ::-1])[1].tobytes()
    inputs = pixels_input(image) if kind == "pixels" else file_input(file)
    answer = client.infer(
        "tiny",
        inputs,
        request_id="a7",
        request_compression_algorithm=compression,
        parameters={"field_of_view": 30.0},
    )
    expected = own(image)
    for name in ("vessels", "probability", "roi"):
        got, wanted = answer.as_numpy(name), getattr(expected, name)
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)
    response = answer.get_response()
    assert response["id"] == "a7"
    assert response["parameters"]["status"] == "done"
    assert response["parameters"]["seconds_infer"] > 0
    assert json.loads(answer.as_numpy("report")[0])["model"] == "tiny"


def test_tritons_client_in_json(client, own):
    image = drawn_retina(90, 100)[0]
    tensor = triton.InferInput("image", image.shape, "UINT8")
    tensor.set_data_from_numpy(image, binary_data=False)
    wanted = [triton.InferRequestedOutput(name, binary_data=False) for name in ("vessels", "report")]
    answer = client.infer("tiny", [tensor], outputs=wanted)
    np.testing.assert_array_equal(answer.as_numpy("vessels"), own(image).vessels)


def test_tritons_client_is_told_what_is_wrong(client):
    image = drawn_retina(90, 100)[0]
    for inputs, parameters, status, message in (
        (file_input(b"no image"), {}, "422", "not an image that can be read"),
        (pixels_input(np.zeros((64, 64, 3), np.uint8)), {}, "422", "retina"),
        (pixels_input(image), {"field_of_view": 1.0}, "422", "expected the camera's angle, 10 to 220"),
        (pixels_input(image), {"colour": "red"}, "400", 'parameters: got ["colour"]'),
        (pixels_input(image) + file_input(b"x"), {}, "400", "got both"),
    ):
        with pytest.raises(triton.InferenceServerException) as caught:
            client.infer("tiny", inputs, parameters=parameters)
        assert caught.value.status() == status
        assert message in caught.value.message()
    with pytest.raises(triton.InferenceServerException, match="is not served here"):
        client.infer("other", pixels_input(image))


def test_many_clients_come_again_and_each_gets_its_own_maps(arguments, own):
    images = [drawn_retina(200 + 10 * number, 300)[0] for number in range(CLIENTS)]

    def ask(image: np.ndarray) -> tuple[int, np.ndarray]:
        refused = 0
        with triton.InferenceServerClient(server.address, network_timeout=60) as client:
            while True:
                try:
                    return refused, client.infer("tiny", pixels_input(image)).as_numpy("probability")
                except triton.InferenceServerException as error:
                    if error.status() != "503":
                        raise
                    refused += 1

    with serving(*arguments, "--workers", "1", "--queue", "5") as server, ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(ask, images * 3))
        server.process.send_signal(signal.SIGTERM)
        assert server.end() == (0, "")
    for image, (_, probability) in zip(images * 3, answers, strict=True):
        np.testing.assert_array_equal(probability, own(image).probability)


@contextmanager
def begun(server, content: bytes) -> Iterator[socket.socket]:
    """Send the head and half of a file; give the connection when the server has taken its place."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        head = f"POST /segment?output=report HTTP/1.1\r\nHost: a\r\nContent-Length: {len(content)}\r\n\r\n"
        connection.sendall(head.encode() + content[: len(content) // 2])
        while b"retina_serve_places_taken 1.0" not in _got(server, "/metrics"):
            pass
        yield connection


def _got(server, path: str) -> bytes:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.request("GET", path)
        return connection.getresponse().read()


def wait_until_closed(server) -> None:
    """Wait until the server takes no new connection."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=60).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:  # it was closed while it still lay in the queue of the socket
            continue
    raise AssertionError("the server still listens")


def received(connection: socket.socket) -> bytes:
    content = b""
    while part := connection.recv(65536):
        content += part
    return content


@pytest.fixture
def file() -> bytes:
    return cv2.imencode(".png", drawn_retina()[0])[1].tobytes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_closes_the_door_and_what_has_come_is_answered(arguments, file, number):
    with serving(*arguments) as server, begun(server, file) as connection:
        server.process.send_signal(number)
        wait_until_closed(server)
        connection.sendall(file[len(file) // 2 :])
        answer = received(connection)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == "done"
        assert server.end() == (0, "")


def test_a_second_signal_ends_at_once(arguments, file):
    with serving(*arguments) as server, begun(server, file):
        server.process.send_signal(signal.SIGTERM)
        wait_until_closed(server)
        server.process.send_signal(signal.SIGTERM)
        assert server.end()[0] == 143


def test_a_client_that_sends_no_more_does_not_hold_up_the_end(arguments, file):
    with serving(*arguments, "--stop-seconds", "1") as server, begun(server, file):
        server.process.send_signal(signal.SIGTERM)
        code, err = server.end()
        assert code == 1
        assert err.splitlines()[-1] == "retina-serve: 1 request not answered within 1 s"


def test_a_client_that_sends_too_much_is_told_so(arguments):
    with serving(*arguments, "--max-request", "1") as server:
        for head in ("Content-Length: 3000000", "Transfer-Encoding: chunked"):
            with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
                connection.sendall(f"POST /segment HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n".encode())
                part = bytes(100_000)
                if "chunked" in head:
                    part = b"186a0\r\n" + part + b"\r\n"
                for _ in range(30):
                    connection.sendall(part)
                assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")
        assert b'"ready":true' in _got(server, "/v2/health/ready")


def test_a_client_that_is_too_slow_is_told_so(arguments, file):
    with serving(*arguments, "--upload-seconds", "1") as server, begun(server, file) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_clients_that_go_away_leave_nothing_behind(server, file):
    for _ in range(5):
        with begun(server, file):
            pass
        while b"retina_serve_places_taken 0.0" not in _got(server, "/metrics"):
            pass
    assert b'"ready":true' in _got(server, "/v2/health/ready")


def test_what_is_not_http_is_refused(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 400 ")
    assert b'"ready":true' in _got(server, "/v2/health/ready")
