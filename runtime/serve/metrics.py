"""What Prometheus reads at ``/metrics``."""

from __future__ import annotations

from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from retinagan.runtime.model.spec import ModelSpec
from retinagan.runtime.serve.workers import Workers

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_PREFIX = "retina_serve"


class Metrics:
    """Counts of one server, in a registry of their own.

    Labels take few values: paths are those of the routes, never what a client typed.

    Parameters
    ----------
    spec : ModelSpec
        Of the served model.
    engine : str
        What runs it.
    workers : Workers
        Whose places are reported.
    """

    def __init__(self, spec: ModelSpec, engine: str, workers: Workers) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = self._counter("requests", "Requests answered.", "path", "status")
        self._request_seconds = self._histogram("request_seconds", "Time from head to answer.", "path")
        self._images = self._counter("images", "Images segmented, by the status of their report.", "status")
        self._warnings = self._counter("image_warnings", "Warnings of images, by code.", "code")
        self._stage_seconds = self._histogram("stage_seconds", "Time of each stage of an image.", "stage")
        taken = self._gauge("places_taken", "Requests at work or waiting.")
        taken.set_function(lambda: workers.taken)
        self._gauge("places", "Most requests at work or waiting; more get 503.").set(workers.places)
        about = self._gauge("model", "The served model; always 1.", "name", "sha256", "engine")
        about.labels(spec.name, spec.sha256, engine).set(1)

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(path, str(status)).inc()
        self._request_seconds.labels(path).observe(seconds)

    def image(self, report: dict[str, Any]) -> None:
        """Count a segmented image by its report; see `Handler`."""
        self._images.labels(report["status"]).inc()
        for doubt in report["warnings"]:
            self._warnings.labels(doubt["code"]).inc()
        for stage, seconds in report["seconds"].items():
            self._stage_seconds.labels(stage).observe(seconds)

    def failed(self) -> None:
        """Count an image that could not be segmented."""
        self._images.labels("failed").inc()

    def text(self) -> bytes:
        """Return all counts in the text format of `CONTENT_TYPE`."""
        return generate_latest(self._registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{_PREFIX}_{name}", text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(f"{_PREFIX}_{name}", text, labels, registry=self._registry, buckets=_SECONDS)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{_PREFIX}_{name}", text, labels, registry=self._registry)
