"""A page that shows the pictures in a browser, as Motion JPEG over HTTP."""

from __future__ import annotations

import base64
import hashlib
import socket
import sys
import threading
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.console.addresses import is_loopback
from retinagan.runtime.errors import OptionError

_QUALITY = 85
_VIEWERS = 8  # connections at once; more are refused
_PATIENCE = 10.0  # seconds in which a viewer must send its request, and take a picture
_BOUNDARY = "picture"
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

_STYLE = "body{margin:0;background:#000}img{display:block;width:100vw;height:100vh;object-fit:contain}"
_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Retinal vessels</title>'
    f"<style>{_STYLE}</style>"
    '<img src="stream.mjpg" alt="The camera\'s picture with its vessels drawn; figures and warnings in it">'
).encode()
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; img-src 'self'; style-src 'sha256-{_HASH}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers of every answer: no other page may show, embed or keep what this one shows."""


class Page:
    """An HTTP server in threads of its own: the page at ``/``, the pictures at ``/stream.mjpg``.

    A viewer that is slow misses pictures; none holds up another. At most 8 are served at once.

    Parameters
    ----------
    host : str
        Address to listen at. At one of loopback, requests must name it as their host, so that a page of the
        web cannot reach it under a name of its own (DNS rebinding).
    port : int
        0 for any that is free.

    Raises
    ------
    OptionError
        If the address is none of this machine, or the port is taken.
    """

    def __init__(self, host: str, port: int) -> None:
        self._pictures = _Pictures()
        try:
            self._server = _Server(host, port, self._pictures)
        except OSError as error:
            raise OptionError(
                f"cannot listen at {host}, port {port} ({error.strerror or error}); "
                "choose another --serve or --host"
            ) from None
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="retina-watch-page", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the page is."""
        host, port = self._server.server_address[:2]
        name = host if isinstance(host, str) else host.decode()
        return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"

    def show(self, picture: NDArray[np.uint8]) -> None:
        """Show a picture, (H, W, 3) uint8 BGR; it is encoded if anybody looks on."""
        self._pictures.put(picture)

    def close(self) -> None:
        """End all answers, and stop."""
        self._pictures.end()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Pictures:
    """The newest picture, for the threads that wait for it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._picture: NDArray[np.uint8] | None = None
        self._jpeg: bytes | None = None
        self._number = 0
        self._ended = False

    def put(self, picture: NDArray[np.uint8]) -> None:
        """Replace the picture."""
        with self._changed:
            self._picture, self._jpeg = picture, None
            self._number += 1
            self._changed.notify_all()

    def end(self) -> None:
        """Tell that no more come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def after(self, number: int) -> tuple[int, bytes] | None:
        """Wait for a picture after the one of this number; return its number and JPEG, or None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._number > number)
            if self._ended or self._picture is None:
                return None
            if self._jpeg is None:
                options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
                self._jpeg = cv2.imencode(".jpg", self._picture, options)[1].tobytes()
            return self._number, self._jpeg


class _Server(ThreadingHTTPServer):
    """The sockets, and a thread for each viewer."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, pictures: _Pictures) -> None:
        family, _, _, _, (address, *_) = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        self.address_family = family
        self._places = threading.BoundedSemaphore(_VIEWERS)
        super().__init__((str(address), port), partial(_Viewer, pictures=pictures))
        self.hosts: frozenset[str] | None = None
        if is_loopback(host):
            port = self.server_address[1]
            self.hosts = frozenset(f"{name}:{port}" for name in (*_LOOPBACK, host))

    def server_bind(self) -> None:
        """Bind without a look-up of this machine's name, which may take long."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own if a place is free; close the connection otherwise."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and free the place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Let a viewer go that went away or was too slow; report anything else as it is."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Viewer(BaseHTTPRequestHandler):
    """One connection."""

    server: _Server
    timeout = _PATIENCE

    def __init__(self, *arguments: Any, pictures: _Pictures) -> None:
        self._pictures = pictures
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """Answer with the page, or with pictures until the viewer goes or no more come."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """Answer with the headers alone."""
        self._answer(with_body=False)

    def version_string(self) -> str:
        """Return the header Server, which tells nobody what to attack."""
        return "retina-watch"

    def end_headers(self) -> None:
        """Send the headers that every answer has."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Print nothing."""

    def _answer(self, *, with_body: bool) -> None:
        hosts, path = self.server.hosts, self.path.partition("?")[0]
        if hosts is not None and self.headers.get("Host", "").lower() not in hosts:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        elif path == "/":
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(_PAGE)))
            self.end_headers()
            self.wfile.write(_PAGE if with_body else b"")
        elif path == "/stream.mjpg":
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
            self.end_headers()
            if with_body:
                self._send_pictures()
        elif path == "/favicon.ico":  # browsers ask for one unasked
            self.send_response(HTTPStatus.NO_CONTENT)
            self.end_headers()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _send_pictures(self) -> None:
        number = 0
        while (one := self._pictures.after(number)) is not None:
            number, jpeg = one
            head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg + b"\r\n")
