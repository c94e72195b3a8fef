"""Requests to an ASGI application without a socket: each part of a body at the moment that a test chooses."""

import asyncio
import json
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self):
        return json.loads(self.body)


async def request(application, method, path, body=b"", headers=None, *, leaves=None) -> Reply:
    """Send a request; `leaves` is an event at which the client closes its connection.

    `body` is bytes, or an asynchronous iterator of them, in which None closes the connection.
    """
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": quote(path).encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
    }
    parts, sent = _parts(body), []

    async def receive():
        async for part, more in parts:
            if part is None:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": part, "more_body": more}
        await (leaves.wait() if leaves is not None else asyncio.Event().wait())
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    await application(scope, receive, send)
    start = next(message for message in sent if message["type"] == "http.response.start")
    content = b"".join(message.get("body", b"") for message in sent[1:])
    answered = {name.decode(): value.decode() for name, value in start["headers"]}
    return Reply(start["status"], answered, content)


def ask(application, method, path, body=b"", headers=None) -> Reply:
    """Send one request, and return its answer."""
    return asyncio.run(request(application, method, path, body, headers))


async def _parts(body):
    if isinstance(body, bytes):
        yield body, False
        return
    async for part in body:
        yield part, True
    yield b"", False
