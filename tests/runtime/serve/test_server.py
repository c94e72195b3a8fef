import http.client
import socket
import threading
from contextlib import closing

import pytest

pytest.importorskip("uvicorn", reason='retina-serve is not installed: pip install "retinagan[serve]"')

from retinagan.runtime import EngineError, OptionError
from retinagan.runtime.serve.server import bound_socket, serve, url_of
from retinagan.runtime.serve.service import Service, ServingOptions


def test_a_socket_is_bound_and_not_yet_listening():
    with bound_socket("127.0.0.1", 0) as bound:
        host, port = bound.getsockname()
        assert (host, url_of(bound)) == ("127.0.0.1", f"http://127.0.0.1:{port}")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, port))


def test_an_address_of_the_new_protocol():
    with bound_socket("::1", 0) as bound:
        assert url_of(bound) == f"http://[::1]:{bound.getsockname()[1]}"


def test_a_port_that_is_taken():
    with bound_socket("127.0.0.1", 0) as bound:
        bound.listen()
        port = bound.getsockname()[1]
        with pytest.raises(
            OptionError, match=rf"cannot listen at 127.0.0.1, port {port} \(.*in use\); choose"
        ):
            bound_socket("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_an_address_of_another_machine(host):
    with pytest.raises(
        OptionError, match=f"{host}.*choose another|{host}.*expected an address of this machine"
    ):
        bound_socket(host, 0)


def test_a_lost_engine_ends_the_server_after_its_answer(handler, png, monkeypatch):
    def fail(request):
        handler.lost = EngineError("the engine failed on 3 images in a row: no power")
        raise handler.lost

    monkeypatch.setattr(handler, "answer", fail)
    ended = []

    def run():
        try:
            serve(Service(handler, ServingOptions()), bound, 5, listens.set)
        except EngineError as error:
            ended.append(str(error))

    listens = threading.Event()
    with bound_socket("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        thread = threading.Thread(target=run)
        thread.start()
        assert listens.wait(60)
        status, answer = _posted(port, png)
        thread.join(60)
    assert status == 500
    assert b"no power" in answer
    assert ended == ["the engine failed on 3 images in a row: no power"]


def _posted(port: int, body: bytes) -> tuple[int, bytes]:
    """Send a file; return the status and the body of the answer."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("POST", "/segment", body)
        reply = connection.getresponse()
        return reply.status, reply.read()
