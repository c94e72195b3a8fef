"""The page of `retina-serve` in Chromium; its server is played by the test, which answers when it likes."""

import json

import pytest
from browser import chromium, until

from retinagan.runtime.serve.page import PAGE, SECURITY_POLICY

ADDRESS = "http://retina-serve.test/"
STATUS, ALERT, TABLE = "[role=status]", "[role=alert]", "table"


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture
def asked() -> list:
    """The requests that wait for an answer, in the order in which they came."""
    return []


@pytest.fixture
def page(browser, asked):
    opened = browser.new_page()
    policy = {"Content-Security-Policy": SECURITY_POLICY}
    opened.route(ADDRESS, lambda route: route.fulfill(body=PAGE, content_type="text/html", headers=policy))
    opened.route(f"{ADDRESS}segment*", lambda route: asked.append(route))  # playwright marks its handlers
    opened.goto(ADDRESS)
    yield opened
    opened.close()


def send(page, asked, name: str) -> None:
    """Segment a file of this name, and wait for the request."""
    before = len(asked)
    page.set_input_files("[name=file]", {"name": name, "mimeType": "image/png", "buffer": b"eye"})
    page.click("button")
    for _ in range(500):
        if len(asked) > before:
            return
        page.wait_for_timeout(10)
    raise AssertionError("no request came")


def answer(route, confidence: float) -> None:
    report = {"status": "done", "warnings": [], "confidence": confidence, "model": "tiny"}
    report |= {"threshold": 0.41, "threshold_from": "map"}
    route.fulfill(
        body=b"picture", content_type="image/jpeg", headers={"Retinagan-Report": json.dumps(report)}
    )


def is_said(page, role: str, text: str) -> None:
    until(page, f"document.querySelector({role!r}).textContent.includes({text!r})")


def test_a_picture_is_shown_with_its_name_and_report(page, asked):
    send(page, asked, "left.png")
    assert page.inner_text(STATUS) == "Segmenting left.png …"
    answer(asked[0], 0.75)
    is_said(page, STATUS, "left.png: done, without warnings.")
    assert page.get_attribute("img", "alt") == "overlay of left.png"
    rows = [row.split("\t") for row in page.inner_text(TABLE).splitlines()]
    assert rows[:3] == [["confidence", "0.75"], ["threshold", "0.41"], ["threshold from", "map"]]


def test_of_two_files_the_last_alone_is_shown(page, asked):
    send(page, asked, "left.png")
    send(page, asked, "right.png")
    answer(asked[1], 0.5)
    is_said(page, STATUS, "right.png: done")
    asked[0].abort()  # the page has given it up
    rows = page.inner_text(TABLE).splitlines()
    assert sum(row.startswith("confidence") for row in rows) == 1
    assert page.get_attribute("img", "alt") == "overlay of right.png"
    assert page.inner_text(ALERT) == ""


def test_an_error_is_said_with_the_files_name(page, asked):
    send(page, asked, "notes.png")
    asked[0].fulfill(status=422, json={"error": "not an image that can be read"})
    is_said(page, ALERT, "notes.png: not an image that can be read")
    assert page.inner_text(STATUS) == ""


def test_a_token_that_is_missing_or_wrong_is_asked_for(page, asked):
    refusal = {
        "status": 401,
        "json": {"error": "no valid token; send the header Authorization: Bearer TOKEN"},
    }
    send(page, asked, "a.png")
    asked[0].fulfill(**refusal)
    is_said(page, ALERT, "a.png: this server wants a token; enter it above")
    page.fill("[name=token]", "wrong")
    send(page, asked, "b.png")
    asked[1].fulfill(**refusal)
    is_said(page, ALERT, "b.png: this server wants a token; the one above is another")


def test_an_answer_of_a_proxy_and_none_at_all_are_explained(page, asked):
    send(page, asked, "a.png")
    asked[0].fulfill(status=502, body="<h1>Bad Gateway</h1>", content_type="text/html")
    is_said(page, ALERT, "a.png: the answer is 502")
    send(page, asked, "b.png")
    asked[1].abort()
    is_said(page, ALERT, "b.png: no answer came; is the server still running")


def test_the_page_is_dark_where_that_is_preferred(page):
    brightness = """() => {
      const body = getComputedStyle(document.body).color, alert = document.querySelector("[role=alert]");
      return [body, getComputedStyle(alert).color].map((color) => Number(color.match(/\\d+/)[0]));
    }"""
    assert page.evaluate(brightness) == [0, 170]
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(brightness) == [255, 255]
