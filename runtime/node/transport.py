"""The node's listening socket: pynetdicom's server with bounds on what strangers may cost.

pynetdicom 3.0 waits for TLS handshakes in the thread that accepts connections, takes messages of any length,
and waits for their next byte as long as it takes.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
import threading
from collections.abc import Callable
from socketserver import BaseServer
from typing import Any

from pynetdicom.transport import ThreadedAssociationServer

HANDSHAKE_BYTES = 1 << 20
"""What a connection may send before its association is accepted."""

_HANDSHAKES = {
    "WRONG_VERSION_NUMBER": "it calls without TLS",
    "HTTP_REQUEST": "it calls without TLS",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it shows no certificate",
}
"""What OpenSSL's reasons mean that a wrong set-up leads to."""

_CONNECTIONS = 2  # for each association that is allowed; those that are refused are open for a moment


class _Bounded:
    """A socket that may receive `budget` bytes; then its connection is closed."""

    budget = HANDSHAKE_BYTES

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        data: bytes = super().recv(buflen, flags)  # type: ignore[misc]
        self.budget -= len(data)
        if self.budget < 0:
            raise OSError(errno.EMSGSIZE, "more was received than is allowed")
        return data

    def shutdown(self, how: int) -> None:
        with contextlib.suppress(OSError):  # the other side was faster; pynetdicom would then not close
            super().shutdown(how)  # type: ignore[misc]


class _BoundedSocket(_Bounded, socket.socket):
    pass


class _BoundedTlsSocket(_Bounded, ssl.SSLSocket):
    pass


class BoundedServer(ThreadedAssociationServer):  # type: ignore[misc]  # pynetdicom's types depend on pydicom's
    """Accepts connections.

    Parameters
    ----------
    *arguments, **options
        Those of pynetdicom's server.
    patience : float
        Seconds in which a TLS handshake must be done, and the rest of a message must go on.
    note : callable
        Gets a line for the log.
    """

    daemon_threads = True
    request_queue_size = 32

    def __init__(self, *arguments: Any, patience: float, note: Callable[[str], None], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._patience = patience
        self._note = note
        self._opening = 0
        self._lock = threading.Lock()
        if self.ssl_context is not None:
            self.ssl_context.sslsocket_class = _BoundedTlsSocket

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection, and leave its handshake to a thread."""
        accepted, address = self.socket.accept()
        client = _BoundedSocket(fileno=accepted.detach())
        client.settimeout(self._patience)
        return client, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether there is room for another connection."""
        with self._lock:
            connections = self._opening + len(self.active_associations)
            return bool(connections < _CONNECTIONS * self.ae.maximum_associations)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Open a connection in a thread."""
        with self._lock:
            self._opening += 1
        super().process_request(request, client_address)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Do the TLS handshake, and start the association, which has a thread of its own."""
        try:
            if self.ssl_context is not None:
                request = self.ssl_context.wrap_socket(request, server_side=True)
        except OSError as error:
            reason = str(getattr(error, "reason", None) or error)
            meaning = f": {_HANDSHAKES[reason]}" if reason in _HANDSHAKES else ""
            self._note(f"{client_address[0]}: no TLS connection{meaning} ({reason})")
            self.shutdown_request(request)
            with self._lock:
                self._opening -= 1
            return
        with self._lock:  # so that nobody counts it twice
            self._opening -= 1
            super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: the connection is gone."""

    def shutdown(self) -> None:
        """Accept no more connections; associations that are open stay so."""
        BaseServer.shutdown(self)  # pynetdicom's looks itself up among those that `AE.start_server` made
        self.server_close()

    def end_associations(self) -> None:
        """Close the connections that are open.

        pynetdicom's own `abort` fails in a thread of the association if no request has come yet, or if the
        peer leaves at the same moment. A connection that is lost it expects in every state.
        """
        for association in self.active_associations:
            transport = association.dul.socket
            connection = transport.socket if transport else None
            if connection is not None:
                connection.shutdown(socket.SHUT_RDWR)
            association.kill()
