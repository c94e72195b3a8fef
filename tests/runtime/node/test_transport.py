import socket
import struct
import threading
from contextlib import contextmanager

import pytest
from dicom_network import CALLER, NODE, PATIENCE, Lines, calling, certificates
from pynetdicom import AE

from retinagan.runtime.node.peers import Keys
from retinagan.runtime.node.transport import BoundedServer


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def serving(lines):
    """Run a server; yields its port."""

    @contextmanager
    def serve(*, keys=None, associations=2, patience=PATIENCE):
        entity = AE(ae_title=NODE)
        entity.maximum_associations = associations
        entity.add_supported_context("1.2.840.10008.1.1")
        server = entity.make_server(
            ("127.0.0.1", 0),
            ssl_context=(keys or Keys()).for_serving(),
            server_class=BoundedServer,
            patience=patience,
            note=lines,
        )
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
            server.end_associations()
            assert not any(association.dul.is_alive() for association in server.active_associations)

    return serve


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


def closed_by_the_server(connection: socket.socket) -> bool:
    try:
        while connection.recv(1000):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def test_a_stranger_cannot_send_without_end(serving):
    """The head of an A-ASSOCIATE-RQ promises 4 GB; the connection ends long before."""
    with serving() as port, connected(port) as connection:
        connection.sendall(struct.pack(">BBL", 1, 0, 0xFFFFFFFF))
        with pytest.raises(OSError, match=r"reset|pipe"):
            connection.sendall(bytes(100 << 20))
        assert closed_by_the_server(connection)
        with calling(port) as association:
            assert association.is_established


def test_who_stops_in_the_middle_of_a_message_is_cut_off(serving):
    with serving(patience=0.2) as port, connected(port) as connection:
        connection.sendall(b"\x01\0\0")
        assert closed_by_the_server(connection)


def test_no_more_connections_than_twice_the_associations(serving):
    with serving(associations=1) as port, connected(port) as first, connected(port) as second:
        for connection in (first, second):
            connection.sendall(b"\x01")
        with connected(port) as third:
            assert closed_by_the_server(third)
        for connection in (first, second):
            connection.settimeout(0.05)
            assert not closed_by_the_server(connection)


def test_a_handshake_that_never_comes_keeps_nobody_waiting(serving, lines, tmp_path):
    keys = certificates(tmp_path)
    own = Keys(keys / "node.pem", keys / "node.key")
    caller = Keys(authorities=keys / "ca.pem").for_sending()
    with serving(keys=own, patience=2) as port, connected(port) as silent:
        with calling(port, aet=CALLER, tls_args=(caller, "127.0.0.1")) as association:
            assert association.send_c_echo().Status == 0x0000
        assert closed_by_the_server(silent)
        with connected(port) as plain:
            plain.sendall(b"\x01\0" + bytes(100))
            assert closed_by_the_server(plain)
        lines.wait_for("127.0.0.1: no TLS connection: it calls without TLS (WRONG_VERSION_NUMBER)")
        lines.wait_for("handshake operation timed out)")


@pytest.mark.parametrize("sent", [b"", b"\x01\0\0"])
def test_at_the_end_connections_are_closed_whatever_has_come(serving, sent):
    with serving() as port:
        silent = connected(port)
        silent.sendall(sent)
    with silent:
        assert closed_by_the_server(silent)


def test_at_the_end_established_associations_are_closed(serving):
    with serving() as port:
        caller = AE(ae_title=CALLER)
        caller.add_requested_context("1.2.840.10008.1.1")
        association = caller.associate("127.0.0.1", port, ae_title=NODE)
        assert association.is_established
    association.join(PATIENCE)
    assert association.is_aborted


def test_after_the_end_connections_are_refused(serving):
    with serving() as port, connected(port):
        pass
    with pytest.raises(OSError, match="refused"):
        connected(port)
