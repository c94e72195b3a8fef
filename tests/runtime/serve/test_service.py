import gzip
import json
import re
from time import perf_counter

import numpy as np
import pytest

pytest.importorskip(
    "prometheus_client", reason='retina-serve is not installed: pip install "retinagan[serve]"'
)

import cv2

from retinagan.runtime import ImageError
from retinagan.runtime.batch.overlay import draw_overlay
from retinagan.runtime.serve.errors import RequestError
from retinagan.runtime.serve.service import REPORT_HEADER, Service, ServingOptions


@pytest.fixture
def service(handler):
    made = Service(handler, ServingOptions(workers=1, max_request=1 << 20))
    yield made
    made.close()


def pixels(reply) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(reply.content, np.uint8), cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize("output", ["vessels", "probability"])
def test_maps_as_pictures(service, segmenter, image, png, output):
    reply = service.picture(png, {}, {"output": output}, perf_counter())
    assert reply.media_type == "image/png"
    result = segmenter(image)
    expected = {
        "vessels": result.vessels * np.uint8(255),
        "probability": np.rint(result.probability * np.float32(65535)),
    }
    np.testing.assert_array_equal(pixels(reply), expected[output])
    assert json.loads(reply.headers[REPORT_HEADER])["status"] == "done"


def test_the_overlay_is_what_comes_by_default(service, segmenter, image, png):
    reply = service.picture(png, {}, {}, perf_counter())
    assert reply.media_type == "image/jpeg"
    result = segmenter(image)
    drawn = draw_overlay(image, result.vessels, result.roi)[..., ::-1].astype(int)
    assert np.abs(pixels(reply).astype(int) - drawn).mean() < 3


def test_the_report_alone(service, png):
    query = {"output": "report", "field_of_view": "30"}
    reply = service.picture(png, {"content-type": "image/png"}, query, perf_counter())
    assert reply.media_type == "application/json"
    report = json.loads(reply.content)
    assert (report["field_of_view"], report["field_of_view_from"]) == (30.0, "given")
    assert report["seconds"]["queue"] >= 0


def test_a_compressed_file(service, png):
    packed = gzip.compress(png)
    reply = service.picture(packed, {"content-encoding": "gzip"}, {"output": "report"}, perf_counter())
    assert json.loads(reply.content)["width"] == 200
    with pytest.raises(RequestError, match="the request is larger than 1 MiB"):
        service.picture(gzip.compress(bytes(2 << 20)), {"content-encoding": "gzip"}, {}, perf_counter())


@pytest.mark.parametrize(
    ("headers", "query", "status", "message"),
    [
        ({}, {"output": "map"}, 400, 'output: got "map"; expected overlay, vessels, probability, report'),
        ({}, {"colour": "red"}, 400, 'query: got ["colour"]; expected output, field_of_view, frame'),
        (
            {"content-type": "multipart/form-data; boundary=x"},
            {},
            415,
            "the body is a form; expected the image file itself: curl --data-binary @scan.jpg URL",
        ),
    ],
)
def test_what_a_picture_cannot_be_asked_by(service, png, headers, query, status, message):
    with pytest.raises(RequestError, match=re.escape(message)) as caught:
        service.picture(png, headers, query, perf_counter())
    assert caught.value.status == status


def test_images_are_counted(service, png):
    service.picture(png, {}, {}, perf_counter())
    with pytest.raises(ImageError):
        service.picture(b"no image", {}, {}, perf_counter())
    text = service.metrics.text().decode()
    assert 'retina_serve_images_total{status="done"} 1.0' in text
    assert 'retina_serve_images_total{status="failed"} 1.0' in text


def test_inference_in_json(service, image):
    small = image[::2, ::2]
    content = {
        "inputs": [{"name": "image", "datatype": "UINT8", "shape": small.shape, "data": small.tolist()}]
    }
    reply = service.infer(json.dumps(content).encode(), {}, {}, perf_counter())
    assert reply.media_type == "application/json"
    answer = json.loads(reply.content)
    assert answer["model_name"] == "tiny"
    assert answer["parameters"]["seconds_queue"] >= 0
    vessels = next(output for output in answer["outputs"] if output["name"] == "vessels")
    assert vessels["shape"] == [90, 100]
    assert any(vessels["data"])


def test_inference_in_binary(service, segmenter, image, png):
    content = json.dumps(
        {
            "inputs": [
                {
                    "name": "file",
                    "datatype": "BYTES",
                    "shape": [1],
                    "parameters": {"binary_data_size": 4 + len(png)},
                }
            ],
            "outputs": [{"name": "vessels", "parameters": {"binary_data": True}}],
        }
    ).encode()
    body = content + len(png).to_bytes(4, "little") + png
    length = {"inference-header-content-length": str(len(content))}
    reply = service.infer(body, length, {}, perf_counter())
    assert reply.media_type == "application/octet-stream"
    start = int(reply.headers["Inference-Header-Content-Length"])
    vessels = np.frombuffer(reply.content[start:], np.bool_).reshape(image.shape[:2])
    np.testing.assert_array_equal(vessels, segmenter(image).vessels)
