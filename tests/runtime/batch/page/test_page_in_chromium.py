"""report.html in a browser without a window, opened from the disk as its users do."""

import csv
import io
import math
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from browser import chromium, pixels, screen, until
from drawn_report import DOUBLE, FAILED, HOSTILE, LARGE, PLAIN, write_images, write_report

WIDE = {"width": 1440, "height": 900}


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def made(browser, tmp_path_factory) -> Path:
    """The output folder of a run with measures; made after the browser, so not in vain."""
    folder = tmp_path_factory.mktemp("report")
    write_images(folder / "in")
    out = write_report(folder)
    names = [row["path"] for row in rows_of(out)]
    with (out / "measures.csv").open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["path", "calibre_mean", "unit", "settings"])
        table.writerows([name, 3 + number / 10, "pixels", "0" * 16] for number, name in enumerate(names))
    return write_report(folder)


@pytest.fixture
def out(made, tmp_path) -> Path:
    """A copy of the output folder in a folder of a strange name, so that a page has marks of its own."""
    return Path(shutil.copytree(made, tmp_path / "a #1 %41?"))


@pytest.fixture
def page(browser, out):
    yield from opened(browser, out)


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


def show_map_alone(page) -> None:
    page.select_option("#look", "plain")
    page.fill("#divide", "0")
    page.fill("#opacity", "100")


def painted(page) -> tuple[np.ndarray, tuple[slice, slice]]:
    """Return the part of the pane that the image fills, as painted, and which part of the image that is.

    The image is at a scale at which a pixel of its level is one of the screen.
    """
    left, top, width, height = page.evaluate(
        "(({ left, top, width, height }) => [left, top, width, height])(pane.getBoundingClientRect())"
    )
    x, y, scale, wide, high = page.evaluate(
        "[picture.x, picture.y, picture.scale, picture.levels[0].width, picture.levels[0].height]"
    )
    x, y = round(left + x), round(top + y)  # of the image on the screen
    first_x, first_y = max(math.ceil(left), x), max(math.ceil(top), y)
    last_x = min(math.floor(left + width), x + round(wide * scale))
    last_y = min(math.floor(top + height), y + round(high * scale))
    part = slice(first_y - y, last_y - y), slice(first_x - x, last_x - x)
    return screen(page)[first_y:last_y, first_x:last_x], part


def hide_divider(page) -> None:
    page.evaluate("document.getElementById('divider').style.display = 'none'")


def tile_grid(page, out: Path, level: int, kind: str) -> np.ndarray:
    """Put the tiles of a level together from the disk, as the chosen image has them."""
    folder = out / "report" / page.evaluate("images.digits[chosen]")
    found = sorted(folder.glob(f"{level}_*_{kind}.webp"))
    places = [tuple(map(int, path.name.split("_")[1:3])) for path in found]
    tiles = {
        place: cv2.imread(str(path), cv2.IMREAD_COLOR) for place, path in zip(places, found, strict=True)
    }
    columns, rows = (1 + max(place[axis] for place in places) for axis in (0, 1))
    lines = [np.hstack([tiles[column, row] for column in range(columns)]) for row in range(rows)]
    return np.vstack(lines)


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


def test_every_thumbnail_is_there(page):
    for _ in range(18):
        page.keyboard.press("j")
        until(page, "[...document.querySelectorAll('#body img')].every((one) => one.naturalWidth)")
    assert page.inner_text("#card-place") == "18 of 18"


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


@pytest.mark.parametrize("level", [None, 40, 200])
def test_at_full_size_the_map_is_that_of_the_run_or_of_the_threshold(page, out, level):
    choose(page, LARGE)
    page.click("#zoom-full")
    show_map_alone(page)
    hide_divider(page)
    vessels = cv2.imread(str(out / "large_vessels.png"), cv2.IMREAD_UNCHANGED) > 0
    if level is not None:
        page.fill("#threshold", str(level))
        expected = tile_grid(page, out, 0, "map")[..., 0] >= level
        assert (expected != vessels).any()
        assert page.inner_text("#threshold-value") == f"{level / 255:.3f}"
        assert "those of the run's threshold, 0.5" in page.inner_text("#threshold-note")
    else:
        expected = vessels
        assert page.inner_text("#threshold-value") == "0.500, the run's"
    whole(page)
    shown, part = painted(page)
    assert set(np.unique(shown)) == {0, 255}
    assert shown.shape < expected.shape  # the pane shows a part
    np.testing.assert_array_equal(shown[..., 0] > 0, expected[part])
    page.click("#own-threshold")
    assert page.input_value("#threshold") == "128"


def test_a_smaller_level_is_shown_by_the_same_threshold(page, out):
    choose(page, LARGE)
    page.evaluate("zoomTo(0.5)")
    show_map_alone(page)
    hide_divider(page)
    whole(page)
    expected = tile_grid(page, out, 1, "map")[..., 0] >= 128
    assert expected.shape == (550, 750)
    shown, part = painted(page)
    np.testing.assert_array_equal(shown[..., 0] > 0, expected[part])


def test_one_step_of_the_threshold_is_one_grey_level(page, out):
    choose(page, "scan2.png")
    show_map_alone(page)
    hide_divider(page)
    page.click("#zoom-full")
    values = tile_grid(page, out, 0, "map")[..., 0]
    levels = np.unique(values[values > 0])
    for level in (*levels[:3], *levels[-3:]):
        page.fill("#threshold", str(level))
        shown, _ = painted(page)
        np.testing.assert_array_equal(shown[..., 0] > 0, values >= level)


def test_the_divider_parts_photograph_and_map(page):
    choose(page, "scan2.png")
    hide_divider(page)
    color = page.evaluate("report.vesselColor")

    def where_vessels_are() -> np.ndarray:
        shown = pixels(page, "#picture").astype(int)
        return np.nonzero((abs(shown - color).max(axis=2) <= 2).any(axis=0))[0]

    page.fill("#opacity", "100")
    middle = page.locator("#picture").bounding_box()["width"] / 2
    assert middle - 1 <= where_vessels_are().min() < middle + 30
    page.fill("#divide", "0")
    assert where_vessels_are().min() < middle / 2
    page.fill("#divide", "100")
    assert where_vessels_are().size == 0


def test_the_handle_of_the_divider_can_be_dragged(page):
    box = page.locator("#picture").bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, y)
    page.mouse.up()
    assert page.input_value("#divide") == "25"
    before = page.evaluate("[picture.x, picture.y]")
    page.mouse.move(box["x"] + 100, y)
    page.mouse.down()
    page.mouse.move(box["x"] + 130, y + 20)
    page.mouse.up()
    assert page.evaluate("[picture.x, picture.y]") == pytest.approx([before[0] + 30, before[1] + 20])
    assert page.input_value("#divide") == "25"


def test_opacity_fades_the_map(page):
    choose(page, "scan2.png")
    page.fill("#divide", "0")
    hide_divider(page)
    page.fill("#opacity", "100")
    full = pixels(page, "#picture").astype(int)
    page.fill("#opacity", "0")
    photograph = pixels(page, "#picture").astype(int)
    page.fill("#opacity", "50")
    half = pixels(page, "#picture").astype(int)
    assert (full != photograph).any()
    assert abs(half - (full + photograph) / 2).max() <= 2


def test_the_probability_can_be_shown_itself(page, out):
    choose(page, "scan2.png")
    show_map_alone(page)
    hide_divider(page)
    page.select_option("#look", "probability")
    page.click("#zoom-full")
    shown, _ = painted(page)
    np.testing.assert_array_equal(shown, tile_grid(page, out, 0, "map"))


def test_zooming_takes_the_level_that_is_fine_enough_and_only_tiles_in_sight(page):
    choose(page, LARGE)
    assert page.evaluate("[picture.levels.length, photograph.groups[0].level]") == [2, 1]
    page.click("#zoom-full")
    whole(page)
    assert page.evaluate("[photograph.groups.length, photograph.groups[0].level]") == [1, 0]
    box = page.locator("#picture").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    for _ in range(6):
        page.mouse.wheel(0, -400)
    whole(page)
    assert page.inner_text("#zoom-value") == "1600 %"
    assert page.locator("#photograph img").count() == page.locator("#map img").count() == 1
    assert page.get_attribute("#picture", "data-grid") == "true"
    page.keyboard.press("0")
    whole(page)
    assert page.evaluate("photograph.groups[0].level") == 1
    assert page.evaluate("picture.fitted")
    page.set_viewport_size({"width": 1100, "height": 700})
    until(page, "Math.abs(picture.scale - fittingScale()) < 1e-9")


def test_zooming_keeps_the_point_under_the_pointer(page):
    choose(page, LARGE)
    box = page.locator("#picture").bounding_box()
    point = (200, 150)
    page.mouse.move(box["x"] + point[0], box["y"] + point[1])
    under = f"[({point[0]} - picture.x) / picture.scale, ({point[1]} - picture.y) / picture.scale]"
    before = page.evaluate(under)
    page.mouse.wheel(0, -200)
    until(page, "!picture.fitted")
    assert page.evaluate(under) == pytest.approx(before, abs=1)


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
    assert page.evaluate("marks.given.size") == 2


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


def test_failed_images_have_their_message_and_the_photograph_if_it_was_read(page):
    choose(page, "noise.png")
    assert page.locator("#photograph img").count() == 1
    assert not page.is_visible("#map")
    assert not page.is_visible("#divider")
    assert page.is_disabled("#threshold")
    assert "the image is noise" in page.inner_text("#facts")
    page.fill("#filter-text", "text.png")
    page.locator("#body .c-name button", has_text="text.png").last.click()
    assert page.inner_text("#no-picture") == "There are no pictures of this image."
    assert page.is_disabled("#threshold")
    page.keyboard.press("]")
    page.keyboard.press("+")
    page.click("#zoom-fit")


def test_the_card_explains_warnings(page):
    choose(page, DOUBLE)
    facts = page.inner_text("#facts")
    assert "several-fields-of-view: the picture holds more than one retina" in facts
    assert "2 fields of view found, 1 segmented" in facts


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


def test_plain_names_are_as_they_are(page):
    for name in PLAIN:
        choose(page, name)
        assert page.inner_text("#card-name") == name
