"""Take the screenshots of docs/report.md: of a report in Chromium without a window.

    retina-run scans/ --out maps --report
    python benchmarks/report_pictures.py maps --first CHASE_DB1/Image_11R.jpg --second HRF/01_dr.JPG

It needs playwright and Chromium. The first picture is the page on white, sorted by confidence; the second an
image at full size on black, with the threshold moved.
"""

import argparse
import shutil
from pathlib import Path

WHOLE = "#photograph[data-whole=true] + #map[data-whole=true]"
SIZE = {"width": 1440, "height": 900}
QUALITY = 82


def open_at(browser: object, out: Path, name: str, scheme: str) -> object:
    """Open a report and choose an image."""
    page = browser.new_page(viewport=SIZE, color_scheme=scheme)
    page.goto((out / "report.html").as_uri())
    page.click("#heads button:text('Confidence')")
    place = page.evaluate("(name) => images.name.indexOf(name)", name)
    if place < 0:
        raise SystemExit(f"no image {name!r} in this report")
    page.evaluate("choose", place)
    page.wait_for_selector(WHOLE, state="attached")
    return page


def save(page: object, path: Path) -> None:
    """Save what can be seen, when its pictures are there."""
    page.wait_for_selector(WHOLE, state="attached")
    page.evaluate("Promise.all([...document.querySelectorAll('#body img')].map((one) => one.decode()))")
    page.screenshot(path=path, type="jpeg", quality=QUALITY)
    print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="output folder of retina-run --report")
    parser.add_argument("--first", required=True, metavar="IMAGE", help="name of the first picture's image")
    parser.add_argument("--second", required=True, metavar="IMAGE", help="name of the second picture's image")
    parser.add_argument("--into", type=Path, default=Path("docs/images"), help="default: %(default)s")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="the browser's program")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    out = options.out.resolve()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=options.chromium, args=["--force-color-profile=srgb"]
        )
        page = open_at(browser, out, options.first, "light")
        page.keyboard.press("u")
        save(page, options.into / "report.jpg")
        page = open_at(browser, out, options.second, "dark")
        page.click("#zoom-full")
        page.fill("#threshold", "64")
        page.fill("#divide", "35")
        save(page, options.into / "report-threshold.jpg")
        browser.close()


if __name__ == "__main__":
    main()
