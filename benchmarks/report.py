"""Measure report.html with thousands of images in Chromium without a window: first paint, reactions, memory.

    python benchmarks/report.py                     5000 images
    python benchmarks/report.py --images 20000 --chromium /usr/bin/chromium

It needs playwright and Chromium. The images are a few drawn eyes of 1500x1000 pixels under other names, with
six columns of measures; every image has files of its own (hard links). The page is opened from the disk.
First paint and the time until the first picture is whole are medians over --runs cold starts of the browser.
Then the keyboard goes through --steps images at the speed at which they are painted, and memory (proportional
set size of all the browser's processes) is read before, on the way, and after.
"""

import argparse
import csv
import os
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from retinagan.runtime.batch.outputs import OutputFolder
from retinagan.runtime.batch.page.names import plain_digits
from retinagan.runtime.batch.page.page import Page
from retinagan.runtime.batch.report import Report
from retinagan.runtime.batch.row import DONE, Row
from retinagan.runtime.batch.settings import Settings, Stamp
from retinagan.runtime.segmenter import Segmentation

HEIGHT, WIDTH = 1000, 1500
EYES = 8  # different ones
MEASURES = ("area_density", "length_density", "calibre_mean", "tortuosity", "dimension", "junctions")
SETTINGS = Settings("benchmark", "benchmark", "ab" * 32, 0.5, 0.0, "0", "0123456789abcdef")
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
WHOLE = "#photograph[data-whole=true] + #map[data-whole=true]"


def eye(seed: int) -> tuple[np.ndarray, Segmentation]:
    """Draw an eye with a map that is as fuzzy as a network's."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    distance = np.hypot(rows - HEIGHT / 2, columns - WIDTH / 2) / (0.47 * HEIGHT)
    roi = distance <= 1
    lines = np.zeros((HEIGHT, WIDTH), np.uint8)
    for _ in range(40):
        steps = generator.normal(0, 25, (30, 2)) + 28 * generator.normal(0, 1, 2)
        points = np.cumsum(steps, axis=0) + np.array([WIDTH, HEIGHT]) / 2
        cv2.polylines(
            lines, [points.astype(np.int32)], False, 255, int(generator.integers(2, 12)), cv2.LINE_AA
        )
    probability = cv2.GaussianBlur(lines, (0, 0), 2).astype(np.float32) / 255 * roi
    shade = (1 - 0.3 * distance**2) * roi * (1 - 0.4 * probability)
    image = shade[:, :, None] * np.array([190, 105, 60], np.float32) + generator.normal(
        0, 4, (HEIGHT, WIDTH, 3)
    )
    result = Segmentation(probability, roi & (probability >= 0.5), roi, {})
    return np.clip(image, 0, 255).astype(np.uint8), result


def make(out: Path, images: int) -> dict[str, float]:
    """Write an output folder, and return how long its page took and how large it is."""
    generator = np.random.default_rng(0)
    names = [f"visit{number // 2:05d}/{'left' if number % 2 else 'right'}.jpg" for number in range(images)]
    with OutputFolder(out) as folder, Report(folder, SETTINGS) as report:
        with Page(folder, report) as page:
            page.expect(names)
            for number, name in enumerate(names[:EYES]):
                drawing = page.drawing(name, *eye(number))
                for part in drawing.parts():
                    part()
                drawing.finish()
        for number, name in enumerate(names[EYES:]):
            link(out / "report" / plain_digits(names[number % EYES]), out / "report" / plain_digits(name))
        for number, name in enumerate(names):
            stamp = Stamp("1000", str(number), SETTINGS.model_sha256, SETTINGS.digest)
            numbers = {
                "roi_share": 0.7,
                "vessel_density": float(generator.normal(0.12, 0.02)),
                "confidence": float(generator.beta(20, 5)),
            }
            report.append(Row(name, DONE, "", name[:-4], stamp, width=WIDTH, height=HEIGHT, **numbers))
        with (out / "measures.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["path", *MEASURES])
            table.writerows([name, *generator.normal(1, 0.2, len(MEASURES)).round(5)] for name in names)
        start = time.perf_counter()
        with Page(folder, report) as page:
            page.expect(names)
        return {"written": time.perf_counter() - start, "size": (out / "report.html").stat().st_size}


def link(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for path in source.iterdir():
        os.link(path, target / path.name)


def open_page(browser: object, url: str) -> tuple[object, float, float]:
    """Open the page; return it, its first paint and the time until its first picture is whole, in seconds."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    start = time.perf_counter()
    page.goto(url)
    page.wait_for_selector(WHOLE, state="attached")
    return page, page.evaluate(FIRST_PAINT) / 1000, time.perf_counter() - start


def reaction(page: object, script: str) -> float:
    """Return the seconds from an action until the browser has painted."""
    return (
        page.evaluate(
            f"""() => new Promise((resolve) => {{
              const start = performance.now();
              {script};
              requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - start)));
            }})"""
        )
        / 1000
    )


def memory(browser: object) -> float:
    """Return the proportional set size of all the browser's processes in MiB."""
    session = browser.new_browser_cdp_session()
    kilobytes = 0
    for process in session.send("SystemInfo.getProcessInfo")["processInfo"]:
        try:
            text = Path(f"/proc/{process['id']}/smaps_rollup").read_text()
        except OSError:
            continue  # it has ended
        kilobytes += int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1])
    session.detach()
    return kilobytes / 1024


def measure(out: Path, start_browser: Callable[[], object], runs: int, steps: int) -> list[tuple[str, str]]:
    """Return what the table shows."""
    url = (out / "report.html").as_uri()
    paints, pictures = [], []
    for _ in range(runs):
        browser = start_browser()
        page, paint, picture = open_page(browser, url)
        paints.append(paint)
        pictures.append(picture)
        page.close()
        browser.close()
    browser = start_browser()
    page, _, _ = open_page(browser, url)
    sorting = reaction(page, "sortBy('confidence')")
    filtering = reaction(page, "filters.text = 'left'; list()")
    page.evaluate("filters.text = ''; list()")
    scrolling = reaction(page, "element('rows').scrollTop = 1e5")
    threshold = reaction(page, "setThreshold(100)")
    used = [memory(browser)]
    start = time.perf_counter()
    for _ in range(4):
        for _ in range(steps // 4):
            page.keyboard.press("j")
            page.wait_for_selector(WHOLE, state="attached")
        used.append(memory(browser))
    stepping = (time.perf_counter() - start) / (steps // 4 * 4)
    nodes = page.evaluate("document.querySelectorAll('*').length")
    browser.close()
    walked = [part * (steps // 4) for part in range(5)]
    return [
        ("first paint", f"{statistics.median(paints):.2f} s"),
        ("first picture whole", f"{statistics.median(pictures):.2f} s"),
        ("sort", f"{1000 * sorting:.0f} ms"),
        ("filter by name", f"{1000 * filtering:.0f} ms"),
        ("scroll", f"{1000 * scrolling:.0f} ms"),
        ("move the threshold", f"{1000 * threshold:.0f} ms"),
        ("next image, with its map", f"{1000 * stepping:.0f} ms"),
        ("elements in the document", f"{nodes}"),
        *(
            (f"memory after {count} images", f"{size:.0f} MiB")
            for count, size in zip(walked, used, strict=True)
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=5, help="cold starts (default: %(default)s)")
    parser.add_argument(
        "--steps", type=int, default=400, help="images to walk through (default: %(default)s)"
    )
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="the browser's program")
    options = parser.parse_args()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise SystemExit("report.py needs playwright; install it with: pip install playwright") from None
    if options.chromium is None:
        raise SystemExit("report.py needs Chromium; install it, or name it with --chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        out = Path(folder)
        made = make(out, options.images)

        def start_browser() -> object:
            return playwright.chromium.launch(executable_path=options.chromium)

        print(f"| report of {options.images} images | |\n| --- | --- |")
        print(f"| writing the page | {made['written']:.2f} s |")
        print(f"| size of the page | {made['size'] / 2**20:.1f} MiB |")
        for name, value in measure(out, start_browser, options.runs, options.steps):
            print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
