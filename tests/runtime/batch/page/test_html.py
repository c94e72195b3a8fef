import base64
import hashlib
import json
import re
from datetime import datetime, timezone

import pytest

from retinagan.runtime.batch.page import html
from retinagan.runtime.batch.page.html import HEAD, MARK, html_of, number_of
from retinagan.runtime.batch.page.rows import Rows, Run, Shown

RUN = Run("retina-gan", "ab" * 6, "OpenVINO", "0", "0.1.0")
NUMBER = "0123456789abcdef"
HOSTILE = "</script><script>alert(1)</script><!--<script>{{program}}\u2028\udcff\ud800\"'&"


def shown(name: str, status: int = 0) -> Shown:
    return Shown(
        name, "f" * 16, status, HOSTILE, HOSTILE, 9, 8, 7, "45", "given", "0.5", 128, "01234567", 0, 2
    )


def page(*images: Shown, hidden: bool = False, numbers=None) -> str:
    rows = Rows(list(images), [RUN], numbers or {"confidence": [0.5] * len(images)})
    written = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    return b"".join(html_of(rows, number=NUMBER, hidden=hidden, written=written)).decode()


def elements(text: str, tag: str) -> list[tuple[str, str]]:
    return re.findall(rf"<{tag}\b([^>]*)>(.*?)</{tag}>", text, re.DOTALL)


def test_hostile_text_is_data_and_comes_back_whole():
    text = page(shown(HOSTILE), shown("b"))
    (attributes, data), (nothing, program) = elements(text, "script")
    assert attributes == ' type="application/json" id="data"'
    assert nothing == ""
    assert data.isascii()
    assert "<" not in data
    assert json.loads(data)["images"]["name"] == [HOSTILE, "b"]
    assert json.loads(data)["images"]["message"] == [HOSTILE, HOSTILE]
    assert "{{" not in program
    assert text.rstrip().endswith("</html>")


def test_the_policy_allows_this_style_and_this_program_alone():
    text = page(shown("a"))
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', text)[1]

    def hashed(content: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"

    (_, style), program = elements(text, "style")[0], elements(text, "script")[1][1]
    assert policy.split("; ") == [
        "default-src 'none'",
        f"script-src {hashed(program)}",
        f"style-src {hashed(style)}",
        "img-src 'self' file:",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
    assert text.index("Content-Security-Policy") < text.index("<style>")


def test_the_page_names_no_other_address():
    text = page(shown("a"))
    found = set(re.findall(r"[a-z]+://[^\s\"'<>)]*", text))
    assert found == {"http://www.w3.org/2000/svg"}  # a namespace
    assert not re.search(r"\s(?:src|href|style|on\w+)=", text.replace("http-equiv", ""))


def test_the_program_neither_makes_markup_of_text_nor_runs_it():
    program = elements(page(shown("a")), "script")[1][1]
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert word not in program


def test_the_head_tells_that_it_is_ours_and_which():
    head = page(shown("a")).encode()[:HEAD]
    assert MARK in head
    assert number_of(head) == NUMBER
    assert number_of(b"<html>") is None


@pytest.mark.parametrize(
    ("statuses", "summary"),
    [
        ([], "0 images: 0 done"),
        ([0], "1 image: 1 done"),
        ([0, 0, 1, 2], "4 images: 2 done, 1 with warnings, 1 failed"),
    ],
)
def test_the_summary_is_there_before_the_program_runs(statuses, summary):
    text = page(*(shown("a", status) for status in statuses))
    assert f'<p id="summary">{summary}</p>' in text


def test_the_data_says_what_the_program_needs():
    data = json.loads(elements(page(shown("a"), hidden=True, numbers={"x": [None]}), "script")[0][1])
    assert data["hidden"] is True
    assert data["written"] == "2026-01-02T03:04:05+00:00"
    assert (data["tile"], data["pictures"], data["thumbnail"]) == (1024, "report", "small_thumbnail.webp")
    assert data["runs"] == [RUN._asdict()]
    assert data["numbers"] == {"x": [None]}
    assert data["sentences"]["negative"].startswith("vessels are brighter")


def test_every_part_of_the_program_is_in_the_page():
    scripts = {path.name for path in html.files(html.__package__).iterdir() if path.name.endswith(".js")}
    assert scripts == set(html._PROGRAM)
