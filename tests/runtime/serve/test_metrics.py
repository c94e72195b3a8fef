import re

import pytest

pytest.importorskip(
    "prometheus_client", reason='retina-serve is not installed: pip install "retinagan[serve]"'
)

from tiny_model import tiny_spec

from retinagan.runtime.serve.metrics import Metrics
from retinagan.runtime.serve.workers import Workers

REPORT = {
    "status": "warning",
    "warnings": [{"code": "low-confidence", "message": "..."}],
    "seconds": {"queue": 0.2, "infer": 0.02},
}


@pytest.fixture
def workers():
    made = Workers(2, 3)
    yield made
    made.close()


@pytest.fixture
def metrics(workers):
    return Metrics(tiny_spec(sha256="ab" * 32), "an engine", workers)


def value(metrics: Metrics, name: str) -> float:
    text = metrics.text().decode()
    return float(re.search(rf"^retina_serve_{re.escape(name)} (\S+)$", text, re.MULTILINE)[1])


def test_requests_are_counted_by_path_and_status(metrics):
    metrics.request("/segment", 200, 0.3)
    metrics.request("/segment", 503, 0.001)
    assert value(metrics, 'requests_total{path="/segment",status="503"}') == 1
    assert value(metrics, 'request_seconds_bucket{le="0.25",path="/segment"}') == 1
    assert value(metrics, 'request_seconds_count{path="/segment"}') == 2


def test_images_are_counted_by_their_report(metrics):
    metrics.image(REPORT)
    metrics.failed()
    assert value(metrics, 'images_total{status="warning"}') == 1
    assert value(metrics, 'images_total{status="failed"}') == 1
    assert value(metrics, 'image_warnings_total{code="low-confidence"}') == 1
    assert value(metrics, 'stage_seconds_sum{stage="infer"}') == 0.02


def test_places_are_those_of_the_moment(metrics, workers):
    assert value(metrics, "places") == 5
    with workers.place():
        assert value(metrics, "places_taken") == 1
    assert value(metrics, "places_taken") == 0


def test_the_model_and_the_process_are_there(metrics):
    assert value(metrics, f'model{{engine="an engine",name="tiny",sha256="{"ab" * 32}"}}') == 1
    assert b"process_resident_memory_bytes" in metrics.text()


def test_two_servers_do_not_share_counts(metrics, workers):
    other = Metrics(tiny_spec(), "another", workers)
    metrics.failed()
    assert b'retina_serve_images_total{status="failed"}' not in other.text()
