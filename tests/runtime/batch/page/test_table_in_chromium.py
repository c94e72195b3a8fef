"""The table of report.html in a browser: sorted, filtered, and of as many rows as can be seen."""

import re

import numpy as np
import pytest
from browser import until
from drawn_report import DOUBLE, FAILED, LARGE
from report_page import names, opened, rows_of, whole


def test_every_thumbnail_is_there(page):
    for _ in range(18):
        page.keyboard.press("j")
        until(page, "[...document.querySelectorAll('#body img')].every((one) => one.naturalWidth)")
    assert page.inner_text("#card-place") == "18 of 18"


def test_sorting_by_name_is_natural_and_turns_around(page):
    page.fill("#filter-text", "scan")
    page.click("#heads button:text('Name')")
    assert names(page) == ["scan2.png", "scan10.png"]
    head = page.locator("#heads th", has_text="Name")
    assert head.get_attribute("aria-sort") == "ascending"
    page.click("#heads button:text('Name')")
    assert names(page) == ["scan10.png", "scan2.png"]
    assert head.get_attribute("aria-sort") == "descending"
    page.click("#heads button:text('Name')")
    assert head.get_attribute("aria-sort") is None
    assert names(page) == ["scan10.png", "scan2.png"]  # as they came


def test_sorting_by_a_number_puts_images_without_it_last(page, out):
    page.click("#heads button:text('Confidence')")
    found = page.evaluate("listed.map((image) => report.numbers.confidence[image])")
    values = sorted(float(row["confidence"]) for row in rows_of(out) if row["confidence"])
    assert found == [*values, None, None]
    page.click("#heads button:text('Confidence')")
    found = page.evaluate("listed.map((image) => report.numbers.confidence[image])")
    assert found == [*reversed(values), None, None]


def test_filters_of_status_warning_and_name(page):
    page.uncheck("text=done (14)")
    assert sorted(names(page)) == sorted([DOUBLE, LARGE, *FAILED])
    page.select_option("#filter-warning", "several-fields-of-view")
    assert names(page) == [DOUBLE]
    assert page.inner_text("#count") == "1 of 18 images"
    assert page.inner_text("#card-place") == "not among the images listed"
    page.select_option("#filter-warning", "none")
    assert sorted(names(page)) == sorted(FAILED)
    page.click("text=Reset filters")
    assert page.inner_text("#count") == "All 18 images"
    assert page.is_checked("text=done (14)")
    page.fill("#filter-text", "SCAN1")
    assert names(page) == ["scan10.png"]
    page.fill("#filter-text", "no such name")
    assert names(page) == []
    page.keyboard.press("Escape")


def test_fields_and_dragging_over_a_histogram_filter(page, out):
    values = [float(row["vessel_density"]) for row in rows_of(out) if row["vessel_density"]]
    middle = float(np.median(values))
    page.fill("[aria-label='Vessel density, at least']", str(middle))
    page.keyboard.press("Tab")
    assert page.inner_text("#count") == f"{sum(value >= middle for value in values)} of 18 images"
    page.click("text=Reset filters")
    assert page.input_value("[aria-label='Vessel density, at least']") == ""
    chart = page.locator("#histograms figure", has_text="Vessel density").locator("svg")
    box = chart.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"] + 1, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 10)
    page.mouse.up()
    half = (min(values) + max(values)) / 2
    assert page.inner_text("#count") == f"{sum(value >= half for value in values)} of 18 images"
    assert "median" in chart.locator("title").text_content()


def test_measures_are_columns_with_histograms(page):
    assert page.locator("#heads th").all_inner_texts()[-1] == "Calibre mean"
    assert page.locator("#histograms figcaption").all_inner_texts()[-1] == "Calibre mean"
    assert "Calibre mean" in page.inner_text("#facts")
    page.uncheck("#columns label:has-text('Calibre mean') input")
    assert "Calibre mean" not in page.locator("#heads th").all_inner_texts()
    page.check("#columns label:has-text('ROI share') input")
    assert page.locator("#heads th").all_inner_texts()[-1] == "ROI share"
    assert "unit" not in page.evaluate("Object.keys(report.numbers)")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0151983, "0.0152"), (7.56877, "7.569"), (181, "181"), (10168.3, "10168"), (2e-5, "2.00e-5")],
)
def test_a_number_is_shown_in_the_digits_that_matter(page, value, shown):
    assert page.evaluate(f"inDigits({value})") == shown


@pytest.mark.parametrize(
    ("codes", "shown"),
    [
        (["blurred"], "blurred"),
        (
            ["field-of-view-implausible", "pixel-spacing-implausible"],
            "field-of-view-implausible, pixel-spacing-implausible",
        ),
        (["several-fields-of-view", "blurred", "negative"], "several-fields-of-view +2"),
    ],
)
def test_a_row_shows_what_fits_of_its_warnings_and_has_all_in_its_title(page, codes, shown):
    page.evaluate(f"images.warnings[0] = '{' '.join(codes)}'; layTable()")
    cell = page.locator("tr[data-image='0'] .c-warnings")
    assert cell.inner_text() == shown
    assert cell.get_attribute("title") == ", ".join(codes)
    fits = "(span) => span.scrollHeight <= span.clientHeight && span.scrollWidth <= span.clientWidth"
    assert cell.locator("span").evaluate(fits)
    page.emulate_media(media="print")
    printed = cell.evaluate("(cell) => getComputedStyle(cell, '::after').content")
    assert printed == f'"{", ".join(codes)}"'


def test_only_rows_in_sight_are_in_the_document(browser, out, made):
    """The page of 18 images, as one of thousands: each image 300 times."""
    html = made / "report.html"
    text = html.read_text("utf-8")
    data = re.search(r'<script type="application/json" id="data">(.*)</script>\n<script>', text)[1]
    for page in opened(browser, out):
        many = page.evaluate(
            """(text) => {
              const data = JSON.parse(text);
              for (const part of [data.images, data.numbers]) {
                for (const name in part) part[name] = Array(300).fill(part[name]).flat();
              }
              return JSON.stringify(data);
            }""",
            data,
        )
        (out / "report.html").write_text(text.replace(data, many.replace("<", "\\u003c")), "utf-8")
        page.reload()
        whole(page)
        assert page.inner_text("#count") == "All 5400 images"
        most = 0
        for place in (0, 1000, 2700, 5399):
            page.evaluate("chooseAt", place)
            most = max(most, page.locator("#body tr").count())
            assert page.locator("tr[aria-current=true]").get_attribute("aria-rowindex") == str(place + 2)
        assert most < 60
        page.keyboard.press("PageUp")
        assert page.inner_text("#card-place") == "5390 of 5400"
        page.keyboard.press("Home")
        assert page.inner_text("#card-place") == "1 of 5400"
        page.keyboard.press("End")
        assert page.inner_text("#card-place") == "5400 of 5400"
        page.evaluate("document.getElementById('rows').scrollTop = 100 * ROW_HEIGHT")
        page.wait_for_selector("tr[data-image='100']")
        assert page.locator("#body tr").count() < 60
