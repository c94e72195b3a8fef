"""report.html in a browser without a window, opened from the disk as its users do."""

import re
import shutil

import pytest
from drawn_report import DOUBLE, HOSTILE, PLAIN
from report_page import choose, opened, rows_of, whole


def test_the_page_shows_all_images_and_the_first_ones_card(page, out):
    listed = [row["path"] for row in rows_of(out)]
    assert page.inner_text("#summary") == "18 images: 14 done, 2 with warnings, 2 failed"
    assert page.inner_text("#count") == "All 18 images"
    assert page.get_attribute("#rows table", "aria-rowcount") == "19"
    shown = page.evaluate("images.name.filter((name) => !name.startsWith('no-text'))")
    assert shown == sorted(name.removeprefix("./") for name in listed if not name.startswith("no-text"))
    assert page.inner_text("#card-place") == "1 of 18"
    assert page.locator("tr[aria-current=true]").count() == 1
    facts = page.inner_text("#facts")
    row = min(rows_of(out), key=lambda row: row["path"].removeprefix("./"))
    for value in (row["model"], row["engine"], f"{row['width']} \u00d7 {row['height']} pixels", "0.5"):
        assert value in facts


def test_hostile_names_stay_text(page):
    for name in HOSTILE:
        place = page.evaluate("(name) => images.name.indexOf(name)", name)
        if "no-text" in name:  # its bytes do not pass through the browser's protocol
            place = page.evaluate("images.name.findIndex((name) => name.startsWith('no-text'))")
        page.evaluate("choose", place)
        whole(page)
        shown = page.inner_text("#card-name")
        assert shown == page.locator("tr[aria-current=true] .c-name").inner_text()
        if name.isprintable():
            assert shown == name
        else:
            assert shown.replace("\u200d", "").isprintable()
            assert re.search(r"\\x0abreak\\x09and\\x1b|\\u\{202e\}|\\xff\\xfe|\u200d", shown)
        assert page.evaluate("document.querySelectorAll('script').length") == 2
        assert page.evaluate("document.querySelectorAll('#card-name *, #body .c-name button *').length") == 0


def test_the_policy_lets_nothing_else_run_or_load(page):
    page.evaluate("""() => {
      window.expectedFaults = ["Content Security Policy", "TrustedHTML", "TrustedScript"];
      const script = document.createElement("script");
      try { script.textContent = "document.title = 'script ran'"; document.body.append(script); } catch {}
      try { document.body.insertAdjacentHTML("beforeend", "<b id=made>x</b>"); } catch {}
      const picture = document.createElement("img");
      picture.src = "http://127.0.0.1:9/x.png";
      document.body.append(picture);
    }""")
    assert page.locator("#made").count() == 0
    assert (
        page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', (error) => error.name)") == "TypeError"
    )
    assert page.evaluate("fetch('run.csv').then(() => 'read', (error) => error.name)") == "TypeError"


def test_failed_images_have_their_message_and_the_photograph_if_it_was_read(page):
    choose(page, "noise.png")
    assert page.locator("#photograph img").count() == 1
    assert not page.is_visible("#map")
    assert not page.is_visible("#divider")
    assert page.is_disabled("#threshold")
    assert page.inner_text("#threshold-value") == ""
    assert "the image is noise" in page.inner_text("#facts")
    choose(page, DOUBLE)
    assert page.inner_text("#threshold-value").endswith(", the map's")
    page.fill("#filter-text", "text.png")
    page.locator("#body .c-name button", has_text="text.png").last.click()
    assert page.inner_text("#no-picture") == "There are no pictures of this image."
    assert page.is_disabled("#threshold")
    assert page.inner_text("#threshold-value") == "", "not that of the image before"
    page.keyboard.press("]")
    page.keyboard.press("+")
    page.click("#zoom-fit")


def test_the_card_explains_warnings(page):
    choose(page, DOUBLE)
    facts = page.inner_text("#facts")
    assert "several-fields-of-view: the picture holds more than one retina" in facts
    assert "2 fields of view found, 1 segmented" in facts


def test_a_page_without_its_pictures_says_so(page, out):
    shutil.rmtree(out / "report")
    page.evaluate("window.expectedFaults = ['ERR_FILE_NOT_FOUND']")
    page.keyboard.press("End")
    page.wait_for_selector("#no-picture:visible")
    assert "the folder report/ must lie beside this page" in page.inner_text("#no-picture")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 500])
def test_no_fault_of_accessibility(browser, out, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    for page in opened(browser, out, color_scheme=scheme):
        page.set_viewport_size({"width": width, "height": 900})
        choose(page, DOUBLE)
        page.keyboard.press("u")
        page.evaluate("say('A notice')")
        page.click("text=Reset filters")
        page.click("#heads button:text('Confidence')")
        found = list(faults_of(axe, page))
        page.click("#help")
        assert found + list(faults_of(axe, page)) == []
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 23, 22)"
        assert dark == (scheme == "dark")


def faults_of(axe, page):
    for fault in axe.run(page).response["violations"]:
        for node in fault["nodes"]:
            yield fault["impact"], fault["id"], node["html"][:200], node["failureSummary"]


def test_a_narrow_page_does_not_scroll_sideways(page):
    page.set_viewport_size({"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_it_prints_all_listed_images_on_white(page):
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#body tr[data-image]").count() == 18
    assert not page.is_visible("#filter-text")
    assert not page.is_visible("#controls")
    assert page.is_visible("#histograms")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert page.pdf().startswith(b"%PDF-")


def test_plain_names_are_as_they_are(page):
    for name in PLAIN:
        choose(page, name)
        assert page.inner_text("#card-name") == name
