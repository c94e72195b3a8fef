import asyncio
import json
import re

import numpy as np
import pytest

pytest.importorskip("fastapi", reason='retina-serve is not installed: pip install "retinagan[serve]"')

from asgi_client import ask, request

from retinagan.runtime import EngineError
from retinagan.runtime.serve.application import create_application
from retinagan.runtime.serve.page import PAGE
from retinagan.runtime.serve.service import Service, ServingOptions


@pytest.fixture
def lost() -> list[int]:
    """One entry for each time that the application tells of a lost engine."""
    return []


@pytest.fixture
def service(handler):
    made = Service(handler, ServingOptions(workers=1, queue=1, max_request=1 << 20))
    yield made
    made.close()


@pytest.fixture
def application(service, lost):
    return create_application(service, lambda: lost.append(1))


def error(reply) -> str:
    return reply.json()["error"]


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models/tiny/ready", {"name": "tiny", "ready": True}),
        ("/v2/models/tiny/versions/1/ready", {"name": "tiny", "ready": True}),
    ],
)
def test_health(application, path, answer):
    reply = ask(application, "GET", path)
    assert (reply.status, reply.json()) == (200, answer)


@pytest.mark.parametrize(
    "path", ["/", "/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/tiny", "/metrics"]
)
def test_what_is_read_may_be_asked_for_its_head(application, path):
    assert ask(application, "HEAD", path).status == 200


def test_metadata(application):
    server = ask(application, "GET", "/v2").json()
    assert (server["name"], server["extensions"]) == ("retina-serve", ["binary_tensor_data"])
    for path in ("/v2/models/tiny", "/v2/models/tiny/versions/1"):
        assert ask(application, "GET", path).json()["name"] == "tiny"


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/v2/models/other", 404, "model 'other' is not served here; this server has 'tiny'"),
        ("GET", "/v2/models/tiny/versions/2", 404, "model 'tiny' has no version '2'; expected '1'"),
        ("POST", "/v2/models/other/infer", 404, "model 'other' is not served here"),
        ("GET", "/nowhere", 404, "GET /nowhere: Not Found"),
        ("GET", "/segment", 405, "GET /segment: Method Not Allowed; expected POST"),
        ("GET", "/docs", 404, "GET /docs: Not Found"),
        ("GET", "/openapi.json", 404, "GET /openapi.json: Not Found"),
        ("POST", "/v2/models/tiny/infer", 400, "the request is not JSON"),
        ("POST", "/segment?output=map", 400, 'output: got "map"'),
        ("POST", "/segment?field_of_view=5", 422, "field of view of 5 degrees; expected"),
        ("POST", "/segment", 422, "the file is empty"),
    ],
)
def test_what_cannot_be_answered_is_told_in_json(application, method, path, status, message):
    reply = ask(application, method, path)
    assert reply.status == status
    assert error(reply).startswith(message)


def test_a_file_of_a_person(application, png):
    reply = ask(application, "POST", "/segment?output=vessels", png)
    assert (reply.status, reply.headers["content-type"]) == (200, "image/png")
    assert json.loads(reply.headers["retinagan-report"])["status"] == "done"


def test_an_inference(application, segmenter, image):
    content = json.dumps(
        {
            "id": "7",
            "inputs": [
                {
                    "name": "image",
                    "datatype": "UINT8",
                    "shape": image.shape,
                    "parameters": {"binary_data_size": image.nbytes},
                }
            ],
            "outputs": [{"name": "vessels", "parameters": {"binary_data": True}}],
        }
    ).encode()
    headers = {"Inference-Header-Content-Length": str(len(content))}
    reply = ask(application, "POST", "/v2/models/tiny/versions/1/infer", content + image.tobytes(), headers)
    assert reply.status == 200
    length = int(reply.headers["inference-header-content-length"])
    assert json.loads(reply.body[:length])["id"] == "7"
    vessels = np.frombuffer(reply.body[length:], np.bool_).reshape(image.shape[:2])
    np.testing.assert_array_equal(vessels, segmenter(image).vessels)


def test_a_request_that_is_too_large(application):
    reply = ask(application, "POST", "/segment", b"x", {"Content-Length": str(2 << 20)})
    assert (reply.status, error(reply)[:35]) == (413, "the request is larger than 1 MiB; m")


def test_a_request_without_a_place_is_told_when_to_come_again(gated, png):
    service = Service(gated, ServingOptions(workers=1, queue=1))
    application = create_application(service, lambda: None)

    async def three():
        begun = [asyncio.create_task(request(application, "POST", "/segment", png)) for _ in range(2)]
        await asyncio.to_thread(gated.started.acquire)
        refused = await request(application, "POST", "/segment", never())
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert error(refused).startswith(
            "all 2 places are taken: 1 for images at work, 1 for images that wait;"
        )
        assert (await request(application, "GET", "/v2/health/ready")).status == 200
        gated.gate.release(2)
        assert [reply.status for reply in await asyncio.gather(*begun)] == [200, 200]
        assert service.workers.taken == 0

    async def never():
        raise AssertionError("a body without a place is not read")
        yield b""

    asyncio.run(three())
    service.close()


def test_a_client_that_leaves_costs_no_work(gated, png):
    service = Service(gated, ServingOptions(workers=1, queue=1))
    application = create_application(service, lambda: None)

    async def leave():
        leaves = asyncio.Event()
        first = asyncio.create_task(request(application, "POST", "/segment", png))
        await asyncio.to_thread(gated.started.acquire)
        second = asyncio.create_task(request(application, "POST", "/segment", png, leaves=leaves))
        while service.workers.taken < 2:
            await asyncio.sleep(0)
        leaves.set()
        assert (await second).status == 499
        assert service.workers.taken == 1
        gated.gate.release()
        assert (await first).status == 200

    asyncio.run(leave())
    service.close()
    assert not gated.started.acquire(blocking=False)


def test_a_client_that_leaves_in_the_midst_of_its_body_is_no_defect(service):
    application = create_application(service, lambda: None)

    async def leave():
        async def parts():
            yield b"abc"
            yield None

        return await request(application, "POST", "/segment", parts())

    assert asyncio.run(leave()).status == 499
    assert service.workers.taken == 0


def test_a_token_is_required_except_for_health_and_the_page(handler, png):
    service = Service(handler, ServingOptions(token="secret"))
    application = create_application(service, lambda: None)
    for headers in ({}, {"Authorization": "Bearer secre"}, {"Authorization": "secret"}):
        reply = ask(application, "POST", "/segment", png, headers)
        assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")
        assert error(reply) == "no valid token; send the header  Authorization: Bearer TOKEN"
        assert ask(application, "GET", "/metrics", headers=headers).status == 401
    assert ask(application, "POST", "/segment", png, {"Authorization": "Bearer secret"}).status == 200
    for path in ("/v2/health/ready", "/v2/health/live", "/"):
        assert ask(application, "GET", path).status == 200
    for path in (
        "/v2",
        "/v2/models/tiny",
        "/v2/models/tiny/ready",
        "//",
        "/v2/health/ready/../../models/tiny",
    ):
        assert ask(application, "GET", path).status == 401
    service.close()


def test_a_lost_engine_is_told(application, handler, lost, png, monkeypatch):
    assert ask(application, "POST", "/segment", b"no image").status == 422
    assert lost == []

    def fail(request):
        handler.lost = EngineError("the engine failed on 3 images in a row")
        raise handler.lost

    monkeypatch.setattr(handler, "answer", fail)
    reply = ask(application, "POST", "/segment", png)
    assert (reply.status, error(reply)) == (500, "the engine failed on 3 images in a row")
    assert lost == [1]
    assert ask(application, "GET", "/v2/health/ready").status == 503
    assert ask(application, "GET", "/v2/models/tiny/ready").json() == {"name": "tiny", "ready": False}


def test_a_defect_is_told_and_raised_on_for_the_log(application, service, monkeypatch):
    def broken():
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(service.metrics, "text", broken)
    sent = []

    async def call():
        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/metrics", "headers": [], "query_string": b""}
        await application(scope, receive, send)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(call())
    assert sent[0]["status"] == 500
    assert re.fullmatch(
        r"unexpected ZeroDivisionError: oh \(.*\); please report it", json.loads(sent[1]["body"])["error"]
    )


def test_metrics_count_routes_and_not_what_clients_type(application, png):
    ask(application, "POST", "/segment", png)
    ask(application, "GET", "/v2/models/other")
    ask(application, "GET", "/nowhere/" + "x" * 50)
    text = ask(application, "GET", "/metrics").body.decode()
    assert 'retina_serve_requests_total{path="/segment",status="200"} 1.0' in text
    assert 'retina_serve_requests_total{path="/v2/models/{name}",status="404"} 1.0' in text
    assert 'retina_serve_requests_total{path="other",status="404"} 1.0' in text
    assert "xxx" not in text


def test_the_page_for_people(application):
    reply = ask(application, "GET", "/")
    assert reply.body == PAGE
    assert reply.headers["content-type"].startswith("text/html")
    assert reply.headers["content-security-policy"].startswith("default-src 'none'")


def test_closing_the_application_ends_the_workers(handler):
    service = Service(handler, ServingOptions())
    application = create_application(service, lambda: None)

    async def live():
        async with application.router.lifespan_context(application):
            await service.workers.run(lambda: 1, asyncio.Event().wait())

    asyncio.run(live())
    with pytest.raises(RuntimeError, match="after shutdown"):
        service.workers._pool.submit(int)
