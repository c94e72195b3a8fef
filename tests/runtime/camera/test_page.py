import http.client
import re
import socket
from contextlib import suppress
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from retinagan.runtime.camera import page as module
from retinagan.runtime.camera.page import HEADERS, Page
from retinagan.runtime.errors import OptionError


@pytest.fixture
def page():
    made = Page("127.0.0.1", 0)
    yield made
    made.close()


def connected(page: Page) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(page.url).netloc, timeout=60)


def answer(page: Page, path="/", method="GET", **headers) -> http.client.HTTPResponse:
    connection = connected(page)
    connection.request(method, path, headers=headers)
    return connection.getresponse()


def next_picture(response: http.client.HTTPResponse) -> np.ndarray:
    """Read one picture of a stream, (H, W, 3) uint8 BGR."""
    length = None
    while (line := response.fp.readline()) != b"\r\n":
        assert line, "the stream has ended"
        if line.startswith(b"Content-Length: "):
            length = int(line.split()[1])
    data = response.fp.read(length)
    assert response.fp.read(2) == b"\r\n"
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def test_the_page_shows_the_stream_and_nothing_else(page):
    response = answer(page)
    body = response.read().decode()
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert re.findall(r'(?:src|href)="([^"]*)"', body) == ["stream.mjpg"]
    assert "<script" not in body
    assert 'alt="' in body


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/", "GET", 200),
        ("/", "HEAD", 200),
        ("/stream.mjpg", "HEAD", 200),
        ("/favicon.ico", "GET", 204),
        ("/x", "GET", 404),
        ("/", "POST", 501),
    ],
)
def test_every_answer_has_the_headers_that_keep_others_out(page, path, method, status):
    response = answer(page, path, method)
    assert response.status == status
    assert HEADERS.items() <= dict(response.headers).items()
    assert response.headers["Server"] == "retina-watch"
    if method == "HEAD":
        assert response.read() == b""


def test_the_policy_allows_the_pages_own_style_alone():
    policy = dict(part.strip().split(" ", 1) for part in HEADERS["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["img-src"] == "'self'"
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", policy["style-src"])


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1", "", "127.0.0.1.evil.example"]
)
def test_a_name_that_is_not_of_loopback_is_refused(page, host):
    assert answer(page, Host=host).status == 421
    assert answer(page, "/stream.mjpg", Host=host).status == 421


def test_names_of_loopback_are_taken(page):
    port = urlsplit(page.url).port
    assert answer(page, Host=f"localhost:{port}").status == 200
    assert answer(page, Host=f"LOCALHOST:{port}").status == 200


def test_pictures_are_streamed_to_each_viewer_until_the_end():
    page = Page("127.0.0.1", 0)
    try:
        page.show(np.full((24, 32, 3), 40, np.uint8))
        viewers = [answer(page, "/stream.mjpg") for _ in range(2)]
        assert viewers[0].headers["Content-Type"] == "multipart/x-mixed-replace; boundary=picture"
        assert [round(next_picture(viewer).mean()) for viewer in viewers] == [40, 40]
        page.show(np.full((24, 32, 3), 200, np.uint8))
        assert [round(next_picture(viewer).mean()) for viewer in viewers] == [200, 200]
    finally:
        page.close()
    assert [viewer.fp.read() for viewer in viewers] == [b"", b""]


def test_a_picture_is_encoded_when_somebody_looks_on_and_once(page, monkeypatch):
    encoded = []
    encode = cv2.imencode
    monkeypatch.setattr(cv2, "imencode", lambda *arguments: encoded.append(1) or encode(*arguments))
    page.show(np.zeros((24, 32, 3), np.uint8))
    assert encoded == []
    for _ in range(2):
        next_picture(answer(page, "/stream.mjpg"))
    assert encoded == [1]


def test_more_viewers_than_places_are_turned_away_and_a_place_that_is_left_is_free_again(page, monkeypatch):
    page.show(np.zeros((24, 32, 3), np.uint8))
    viewers = [answer(page, "/stream.mjpg") for _ in range(module._VIEWERS)]
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        answer(page)
    viewers[0].close()
    viewers[0].fp = None
    status = None
    while status is None:  # its thread learns of it with one of the next pictures
        page.show(np.zeros((24, 32, 3), np.uint8))
        with suppress(http.client.RemoteDisconnected, ConnectionResetError):
            status = answer(page).status
    assert status == 200


def test_an_address_that_is_not_free(page):
    port = urlsplit(page.url).port
    with pytest.raises(
        OptionError, match=rf"cannot listen at 127.0.0.1, port {port} \(Address already in use\)"
    ):
        Page("127.0.0.1", port)
    with pytest.raises(OptionError, match=r"cannot listen at 192\.0\.2\.1, port 0"):
        Page("192.0.2.1", 0)
    with pytest.raises(OptionError, match=r"cannot listen at no\.such\.host\.invalid"):
        Page("no.such.host.invalid", 0)


def test_a_page_for_all_takes_any_name():
    page = Page("0.0.0.0", 0)
    try:
        connection = http.client.HTTPConnection("127.0.0.1", urlsplit(page.url).port, timeout=60)
        connection.request("GET", "/", headers={"Host": "eye-clinic.example"})
        assert connection.getresponse().status == 200
    finally:
        page.close()


def test_the_page_of_ipv6():
    try:
        page = Page("::1", 0)
    except OptionError:
        pytest.skip("this machine has no IPv6")
    try:
        assert re.fullmatch(r"http://\[::1\]:\d+/", page.url)
        assert answer(page).status == 200
    finally:
        page.close()


def test_a_viewer_that_says_nothing_is_let_go(page, monkeypatch):
    monkeypatch.setattr(module._Viewer, "timeout", 0.05)
    with socket.create_connection(("127.0.0.1", urlsplit(page.url).port), timeout=60) as silent:
        assert silent.recv(1) == b""
