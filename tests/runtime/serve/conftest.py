import threading
from collections.abc import Iterator

import cv2
import pytest
from drawn_retina import drawn_retina
from tiny_model import tiny_spec, write_tiny_model

from retinagan.runtime import Segmenter
from retinagan.runtime.model.parameters import Preprocessing
from retinagan.runtime.serve.handler import Handler


@pytest.fixture(scope="session")
def segmenter(tmp_path_factory) -> Iterator[Segmenter]:
    """A tiny model that works at a number of pixels per degree."""
    spec = tiny_spec(preprocessing=Preprocessing("none", 5.0, None, 3.0))
    path = write_tiny_model(tmp_path_factory.mktemp("model"), spec)
    with Segmenter(path, engine="onnxruntime", threads=1) as opened:
        yield opened


@pytest.fixture
def handler(segmenter) -> Handler:
    return Handler(segmenter)


class GatedHandler(Handler):
    """Answers a request only when let through."""

    def __init__(self, segmenter) -> None:
        super().__init__(segmenter)
        self.started = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)

    def answer(self, request):
        self.started.release()
        assert self.gate.acquire(timeout=20)
        return super().answer(request)


@pytest.fixture
def gated(segmenter) -> GatedHandler:
    return GatedHandler(segmenter)


@pytest.fixture(scope="session")
def image():
    """A drawn retina, (180, 200, 3) RGB."""
    return drawn_retina()[0]


@pytest.fixture(scope="session")
def png(image) -> bytes:
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()
