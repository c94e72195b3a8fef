"""The routes of `retina-serve`, as an ASGI application."""

from __future__ import annotations

import hmac
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from time import perf_counter
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retinagan.runtime import __version__
from retinagan.runtime.errors import RetinaGanError
from retinagan.runtime.faults import unexpected
from retinagan.runtime.serve.bodies import read_body
from retinagan.runtime.serve.errors import BusyError, RequestError, status_of
from retinagan.runtime.serve.metrics import CONTENT_TYPE, Metrics
from retinagan.runtime.serve.page import PAGE, SECURITY_POLICY
from retinagan.runtime.serve.protocol import model_metadata, server_metadata
from retinagan.runtime.serve.service import Job, Service
from retinagan.runtime.serve.tensors import VERSION
from retinagan.runtime.serve.workers import ClientGoneError

_WITHOUT_TOKEN = re.compile(r"/|/v2/health/\w+")  # the page sends the token with its requests
_READING = ["GET", "HEAD"]  # of which uvicorn sends the head alone
_CLIENT_GONE = 499  # nobody reads it; it is for the counts alone


def create_application(service: Service, on_lost: Callable[[], None]) -> FastAPI:
    """Return the application that serves a model.

    Parameters
    ----------
    service : Service
        Closed when the application shuts down.
    on_lost : callable
        Called when the engine is taken for broken, after the request that found it was answered.
    """

    @asynccontextmanager
    async def closed_at_the_end(application: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    application = FastAPI(
        title="retina-serve",
        version=__version__,
        lifespan=closed_at_the_end,
        openapi_url=None,  # its viewers are loaded from elsewhere, and the protocol is described already
    )
    application.add_middleware(_Gate, token=service.options.token, metrics=service.metrics)
    for kind, answer in _ERRORS.items():
        application.add_exception_handler(kind, answer)
    _add_model_routes(application, service, on_lost)

    @application.api_route("/v2", methods=_READING)
    async def server() -> dict[str, Any]:
        return server_metadata(__version__)

    @application.api_route("/v2/health/live", methods=_READING)
    async def live() -> dict[str, Any]:
        return {"live": True}

    @application.api_route("/v2/health/ready", methods=_READING)
    async def ready() -> JSONResponse:
        return _readiness(service, {})

    @application.post("/segment")
    async def segment(request: Request) -> Response:
        return await _answered(service, service.picture, request, on_lost)

    @application.api_route("/metrics", methods=_READING)
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)

    @application.api_route("/", methods=_READING)
    async def page() -> Response:
        return Response(PAGE, media_type="text/html", headers={"Content-Security-Policy": SECURITY_POLICY})

    return application


def _add_model_routes(application: FastAPI, service: Service, on_lost: Callable[[], None]) -> None:
    """Add the routes below ``/v2/models/NAME``, each also below ``/versions/VERSION``."""

    def check_name(name: str, version: str) -> None:
        if name != service.name:
            raise RequestError(f"model {name!r} is not served here; this server has {service.name!r}", 404)
        if version != VERSION:
            raise RequestError(f"model {name!r} has no version {version!r}; expected {VERSION!r}", 404)

    async def metadata(name: str, version: str = VERSION) -> dict[str, Any]:
        check_name(name, version)
        return model_metadata(name)

    async def ready(name: str, version: str = VERSION) -> JSONResponse:
        check_name(name, version)
        return _readiness(service, {"name": name})

    async def infer(request: Request, name: str, version: str = VERSION) -> Response:
        check_name(name, version)
        return await _answered(service, service.infer, request, on_lost)

    for model in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        application.api_route(model, methods=_READING)(metadata)
        application.api_route(f"{model}/ready", methods=_READING)(ready)
        application.post(f"{model}/infer")(infer)


def _readiness(service: Service, content: dict[str, Any]) -> JSONResponse:
    is_ready = service.handler.lost is None
    return JSONResponse({**content, "ready": is_ready}, 200 if is_ready else 503)


async def _answered(service: Service, job: Job, request: Request, on_lost: Callable[[], None]) -> Response:
    """Take a place, read the body and run the job, unless the client leaves before."""
    options = service.options
    with service.workers.place():
        body = await read_body(request.stream(), request.headers, options.max_request, options.upload_seconds)
        run = partial(job, body, request.headers, request.query_params, perf_counter())
        try:
            reply = await service.workers.run(run, request.receive())
        finally:
            if service.handler.lost is not None:
                on_lost()
    return Response(reply.content, media_type=reply.media_type, headers=dict(reply.headers))


async def _known_error(request: Request, error: Exception) -> Response:
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, BusyError) else None
    return JSONResponse({"error": str(error)}, status_of(error), headers)


async def _http_error(request: Request, error: Exception) -> Response:
    """Answer a path or method that is not there."""
    assert isinstance(error, HTTPException)
    asked = f"{request.method} {request.url.path}"
    allowed = (error.headers or {}).get("Allow")
    expected = f"; expected {allowed}" if allowed else ""
    return JSONResponse({"error": f"{asked}: {error.detail}{expected}"}, error.status_code, error.headers)


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=_CLIENT_GONE)


async def _defect(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"{unexpected(error)}; please report it"}, 500)


_ERRORS: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    RetinaGanError: _known_error,
    HTTPException: _http_error,
    ClientGoneError: _gone,
    ClientDisconnect: _gone,
    Exception: _defect,  # its traceback goes to stderr
}


class _Gate:
    """Checks the token of requests, except those for health and the page, and counts every answer."""

    def __init__(self, app: ASGIApp, token: str | None, metrics: Metrics) -> None:
        self._app = app
        self._authorization = None if token is None else f"Bearer {token}".encode()
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if self._may_pass(scope):
                await self._app(scope, receive, watched)
            else:
                refused = JSONResponse(
                    {"error": "no valid token; send the header  Authorization: Bearer TOKEN"},
                    401,
                    {"WWW-Authenticate": "Bearer"},
                )
                await refused(scope, receive, watched)
        finally:
            path = getattr(scope.get("route"), "path", "other")
            self._metrics.request(path, status, perf_counter() - start)

    def _may_pass(self, scope: Scope) -> bool:
        if self._authorization is None or _WITHOUT_TOKEN.fullmatch(scope["path"]):
            return True
        sent = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        return hmac.compare_digest(sent, self._authorization)
