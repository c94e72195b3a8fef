"""Marks and keys of report.html in a browser."""

import csv
import io
import re
from pathlib import Path

from browser import until
from report_page import WIDE, choose, names, rows_of, whole


def test_the_keyboard_goes_through_the_list_and_marks(page):
    page.fill("#filter-text", "scan")
    page.locator("#body .c-name button").first.click()
    assert page.inner_text("#card-name") == "scan10.png"
    page.keyboard.press("j")
    assert page.inner_text("#card-name") == "scan2.png"
    page.keyboard.press("ArrowDown")  # there is no further one
    assert page.inner_text("#card-place") == "2 of 2"
    page.keyboard.press("u")
    assert page.get_attribute("#usable", "aria-pressed") == "true"
    page.keyboard.press("k")
    page.keyboard.press("n")
    assert page.locator("#body .c-mark").all_inner_texts() == ["not usable", "usable"]
    page.keyboard.press("n")
    assert page.locator("#body .c-mark").all_inner_texts() == ["", "usable"]
    page.keyboard.press("]")
    assert page.input_value("#threshold") == "129"
    page.keyboard.press("[")
    page.keyboard.press("[")
    assert page.input_value("#threshold") == "127"
    page.keyboard.press("\\")
    assert page.input_value("#threshold") == "128"
    page.keyboard.press("m")
    assert page.input_value("#opacity") == "0"
    page.keyboard.press("d")
    assert page.input_value("#divide") == "100"
    page.keyboard.press("l")
    assert page.input_value("#look") == "plain"
    page.keyboard.press("+")
    scale = page.evaluate("picture.scale")
    x = page.evaluate("picture.x")
    page.keyboard.press("Shift+ArrowRight")
    assert page.evaluate("picture.x") < x
    page.keyboard.press("-")
    assert page.evaluate("picture.scale") < scale
    page.keyboard.press("/")
    page.keyboard.type("un")  # into the field, not as marks
    assert page.input_value("#filter-text") == "scanun"
    assert page.evaluate("marks.given.size") == 1


def test_keys_can_be_seen_and_turned_off(page):
    page.keyboard.press("?")
    assert page.is_visible("#keys")
    assert page.locator("#keys-list tr").count() > 15
    page.uncheck("#keys-on")
    page.click("#keys-close")
    page.keyboard.press("u")
    page.keyboard.press("j")
    assert page.evaluate("[marks.given.size, chosen]") == [0, 0]


def test_marks_are_kept_and_exported(page, out):
    choose(page, "scan10.png")
    page.click("#usable")
    choose(page, "=HYPERLINK")
    page.click("#not-usable")
    choose(page, "line")
    page.click("#usable")
    page.reload()
    whole(page)
    until(page, "marks.given.size === 3")
    page.select_option("#filter-mark", "not usable")
    assert names(page) == ["=HYPERLINK(1).png"]
    with page.expect_download() as download:
        page.click("#export")
    assert download.value.suggested_filename == "marks.csv"
    text = Path(download.value.path()).read_bytes().decode()
    table = list(csv.DictReader(io.StringIO(text, newline="")))
    paths = [row["path"] for row in rows_of(out)]
    readable = sorted(path for path in paths if "no-text" not in path)
    assert sorted(row["path"] for row in table if "no-text" not in row["path"]) == readable
    marked = {row["path"]: (row["mark"], row["of_this_map"]) for row in table if row["mark"]}
    assert marked == {
        "scan10.png": ("usable", "yes"),
        "./=HYPERLINK(1).png": ("not usable", "yes"),
        next(path for path in paths if path.startswith("line")): ("usable", "yes"),
    }
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\dT[\d:.]+Z", row["marked_at"]) for row in table if row["mark"])


def test_a_mark_is_for_the_map_it_was_given_to(page, out):
    choose(page, "scan2.png")
    page.click("#usable")
    choose(page, "scan10.png")
    page.click("#usable")
    html = out / "report.html"
    version = page.evaluate("images.map[images.name.indexOf('scan2.png')]")
    html.write_text(html.read_text("utf-8").replace(f'"{version}"', '"another!"'), "utf-8")
    page.reload()
    whole(page)
    until(page, "marks.given.size === 2")  # another process may keep them
    page.select_option("#filter-mark", "earlier")
    assert names(page) == ["scan2.png"]
    assert page.locator("#body .c-mark").all_inner_texts() == ["usable, earlier map"]
    choose(page, "scan2.png")
    assert page.inner_text("#mark-earlier") == "An earlier map was marked usable."
    assert page.get_attribute("#usable", "aria-pressed") == "false"
    page.keyboard.press("u")
    assert page.evaluate("marks.textOf(chosen)") == "usable"


def test_marks_of_two_windows_do_not_undo_each_other(page):
    other = page.context.new_page()
    other.goto(page.url)
    whole(other)
    choose(other, "scan2.png")
    other.click("#usable")
    choose(page, "scan10.png")
    page.click("#not-usable")
    until(page, "marks.given.size === 2")
    until(other, "marks.given.size === 2")
    page.reload()
    until(page, "marks.given.size === 2")


def test_without_a_place_for_marks_the_page_says_so_and_still_exports(browser, out):
    context = browser.new_context(viewport=WIDE)
    context.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error(); } })")
    page = context.new_page()
    page.goto((out / "report.html").as_uri())
    whole(page)
    assert page.inner_text("#notice").startswith("This browser keeps no marks")
    page.click("#usable")
    assert page.evaluate("marks.csv().split('\\n')[1].includes(',usable,')")
    context.close()
