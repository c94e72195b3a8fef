"""report.html in a browser: opened, looked at and used, for the tests of its parts."""

import csv
from pathlib import Path

WIDE = {"width": 1440, "height": 900}


def opened(browser, out, **options):
    """Yield the page of an output folder; in the end it must have had no error, nor used the network."""
    context = browser.new_context(viewport=WIDE, **options)
    context.set_default_timeout(120_000)  # for a computer that is busy
    page = context.new_page()
    faults, asked = [], []
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: faults.append(dialog.message))
    page.on("request", lambda request: asked.append(request))
    page.goto((out / "report.html").as_uri())
    whole(page)
    yield page
    assert page.title() == "Vessel maps"
    expected = page.evaluate("window.expectedFaults || []")
    assert [fault for fault in faults if not any(part in fault for part in expected)] == []
    here = (out / "report").as_uri()
    elsewhere = [request for request in asked[1:] if not request.url.startswith((here, page.url))]
    assert [request.url for request in elsewhere if request.failure != "csp"] == []
    context.close()


def whole(page) -> None:
    """Wait until the picture of the card is there."""
    page.wait_for_selector("#photograph[data-whole=true]", state="attached")
    if page.get_attribute("#picture", "data-pictures") == "2":
        page.wait_for_selector("#map[data-whole=true]", state="attached")


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / "run.csv").open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def names(page) -> list[str]:
    """Give the names in the table, from the top."""
    return page.locator("#body .c-name button").all_text_contents()


def choose(page, name: str) -> None:
    page.fill("#filter-text", name)
    page.locator("#body .c-name button", has_text=name).first.click()
    whole(page)
