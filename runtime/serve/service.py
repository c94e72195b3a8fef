"""What the routes do: bodies in, replies out, through one handler and its workers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.batch.drawing import PICTURES, Scene
from retinagan.runtime.batch.encoding import encode_jpeg, encode_png
from retinagan.runtime.errors import RetinaGanError
from retinagan.runtime.images.reading import MAX_PIXELS
from retinagan.runtime.serve.bodies import decompressed
from retinagan.runtime.serve.errors import RequestError
from retinagan.runtime.serve.handler import PARAMETERS, Answer, Handler, ImageRequest
from retinagan.runtime.serve.metrics import Metrics
from retinagan.runtime.serve.protocol import HEADER_LENGTH, read_request, write_response
from retinagan.runtime.serve.tensors import served_name
from retinagan.runtime.serve.values import shown
from retinagan.runtime.serve.workers import Workers

REPORT_HEADER = "Retinagan-Report"
"""The header of a picture that has its report, in JSON without characters beyond ASCII."""


@dataclass(frozen=True)
class ServingOptions:
    """How a server treats requests.

    Parameters
    ----------
    workers : int
        Images that are segmented at once.
    queue : int
        Requests that may wait besides those; more are refused with 503.
    max_request : int
        Largest body in bytes, also after decompression.
    max_pixels : int
        Images with more pixels are refused.
    upload_seconds : float
        Longest time in which a body has to arrive.
    token : str, optional
        What clients must send as ``Authorization: Bearer TOKEN``; nothing if left out.
    """

    workers: int = 2
    queue: int = 8
    max_request: int = 64 << 20
    max_pixels: int = MAX_PIXELS
    upload_seconds: float = 30.0
    token: str | None = None


@dataclass(frozen=True)
class Reply:
    """The body of a response, its media type and further headers."""

    content: bytes
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


Job = Callable[[bytes, Mapping[str, str], Mapping[str, str], float], Reply]
"""Takes a body, the request's headers (names in lower case), its query, and the time since which it waits."""


class Service:
    """One handler, its workers and metrics.

    Parameters
    ----------
    handler : Handler
    options : ServingOptions

    Attributes
    ----------
    name : str
        Under which the model is served.
    """

    def __init__(self, handler: Handler, options: ServingOptions) -> None:
        segmenter = handler.segmenter
        self.handler = handler
        self.options = options
        self.name = served_name(segmenter.spec)
        self.workers = Workers(options.workers, options.queue)
        self.metrics = Metrics(segmenter.spec, segmenter.engine, self.workers)

    def infer(
        self, body: bytes, headers: Mapping[str, str], query: Mapping[str, str], waiting_since: float
    ) -> Reply:
        """Answer a request of KServe V2.

        Raises
        ------
        RequestError
            If the request is malformed.
        RetinaGanError
            As of `Handler.answer`.
        """
        content = decompressed(body, headers.get("content-encoding"), self.options.max_request)
        request = read_request(content, headers.get(HEADER_LENGTH.lower()))
        answer = self._answer(ImageRequest.of(request.inputs, request.parameters), waiting_since)
        tensors = {output.tensor.name: answer.tensor(output.tensor.name) for output in request.outputs}
        written, length = write_response(self.name, request, tensors, answer.parameters())
        if length is None:
            return Reply(written, "application/json")
        return Reply(written, "application/octet-stream", {HEADER_LENGTH: str(length)})

    def picture(
        self, body: bytes, headers: Mapping[str, str], query: Mapping[str, str], waiting_since: float
    ) -> Reply:
        """Answer an image file with one picture, by "output" in the query, and the report in a header.

        Raises
        ------
        RequestError
            If the query is malformed, or the body is a form.
        RetinaGanError
            As of `Handler.answer`.
        """
        if headers.get("content-type", "").startswith("multipart/"):
            raise RequestError(
                "the body is a form; expected the image file itself: curl --data-binary @scan.jpg URL", 415
            )
        parameters = dict(query)
        output = parameters.pop("output", "overlay")
        if unknown := sorted(set(parameters) - set(PARAMETERS)):
            raise RequestError(f"query: got {shown(unknown)}; expected {', '.join(('output', *PARAMETERS))}")
        if output not in _OUTPUTS:
            raise RequestError(f"output: got {shown(output)}; expected {', '.join(_OUTPUTS)}")
        content = decompressed(body, headers.get("content-encoding"), self.options.max_request)
        file = np.array([content], np.object_)
        answer = self._answer(ImageRequest.of({"file": file}, parameters), waiting_since)
        media_type, draw = _OUTPUTS[output]
        return Reply(draw(answer), media_type, {REPORT_HEADER: json.dumps(answer.report)})

    def close(self) -> None:
        """Wait for running jobs."""
        self.workers.close()

    def _answer(self, request: ImageRequest, waiting_since: float) -> Answer:
        waited = perf_counter() - waiting_since
        try:
            answer = self.handler.answer(request)
        except RetinaGanError:
            self.metrics.failed()
            raise
        answer.report["seconds"] = {"queue": round(waited, 6), **answer.report["seconds"]}
        self.metrics.image(answer.report)
        return answer


def _report(answer: Answer) -> bytes:
    return json.dumps(answer.report, indent=2).encode("ascii") + b"\n"


def _picture(kind: str, encode: Callable[[NDArray[Any]], bytes]) -> Callable[[Answer], bytes]:
    """Return a function that draws an answer as a picture of a kind, and encodes it."""
    return lambda answer: encode(PICTURES[kind](Scene(answer.photograph, answer.segmentation)))


_OUTPUTS: dict[str, tuple[str, Callable[[Answer], bytes]]] = {
    "overlay": ("image/jpeg", _picture("overlay", encode_jpeg)),
    "vessels": ("image/png", _picture("vessels", encode_png)),
    "probability": ("image/png", _picture("probability", encode_png)),
    "report": ("application/json", _report),
}
"""What ``POST /segment`` can return, with its media type."""
