"""The HTTP server: a socket, uvicorn, and an orderly end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from retinagan.runtime.console.signals import signals_noted
from retinagan.runtime.errors import EngineError, OptionError
from retinagan.runtime.serve.application import create_application

if TYPE_CHECKING:
    from retinagan.runtime.serve.service import Service

_KEEP_ALIVE = 65  # seconds; proxies close idle connections after 60, and must be first to do so


def bound_socket(host: str, port: int) -> socket.socket:
    """Return a socket that is bound, but does not listen yet.

    Parameters
    ----------
    host : str
        An address or a name of this machine.
    port : int
        0 for any that is free.

    Raises
    ------
    OptionError
        If the address is not of this machine, the port is taken, or needs a right that is missing.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind)
    except OSError as error:
        raise OptionError(f"--host {host}: {error.strerror}; expected an address of this machine") from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise OptionError(
            f"cannot listen at {host}, port {port} ({error.strerror}); choose another --port or --host"
        ) from None
    return bound


def url_of(bound: socket.socket) -> str:
    """Return the URL of a bound socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if bound.family == socket.AF_INET6 else f"http://{host}:{port}"


def serve(
    service: Service, bound: socket.socket, stop_seconds: float, started: Callable[[], object] | None = None
) -> int:
    """Serve until a signal arrives; then take no new connection, and answer what has come.

    A second signal raises `Stopped`.

    Parameters
    ----------
    service : Service
    bound : socket
        From `bound_socket`; closed at the end.
    stop_seconds : float
        Longest time to wait for answers after the signal.
    started : callable, optional
        Called when connections are taken.

    Returns
    -------
    int
        The number of requests that were not answered by then.

    Raises
    ------
    EngineError
        If the engine is taken for broken.
    """
    server = _Server(service, stop_seconds, started)
    asyncio.run(server.serve(sockets=[bound]))
    if service.handler.lost is not None:
        raise EngineError(str(service.handler.lost))
    return server.unanswered


class _Server(uvicorn.Server):
    """uvicorn's server, stopped by the signals that stop every command of this package."""

    def __init__(self, service: Service, stop_seconds: float, started: Callable[[], object] | None) -> None:
        config = uvicorn.Config(
            create_application(service, self._stop),
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=max(1, round(stop_seconds)),
        )
        super().__init__(config)
        self._service = service
        self._tell_started = started
        self.unanswered = 0

    def _stop(self) -> None:
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and tell so."""
        await super().startup(sockets)
        if self._tell_started is not None:
            self._tell_started()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at the first signal."""
        with signals_noted(self._stop):
            yield

    async def _wait_tasks_to_complete(self) -> None:
        try:
            await super()._wait_tasks_to_complete()
        except asyncio.CancelledError:
            self.unanswered = self._service.workers.taken
            raise
