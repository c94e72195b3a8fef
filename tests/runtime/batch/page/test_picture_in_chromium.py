"""The picture of report.html in a browser: threshold, divider, opacity and zoom, as they are painted."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from browser import pixels, screen, until
from drawn_report import LARGE
from report_page import choose, whole


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
        assert "those of the map's threshold, 0.5" in page.inner_text("#threshold-note")
    else:
        expected = vessels
        assert page.inner_text("#threshold-value") == "0.500, the map's"
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
