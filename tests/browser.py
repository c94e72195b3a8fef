"""Chromium without a window, for tests of pages: fixtures that skip with a reason where it is not installed.

Where ``RETINAGAN_CHROMIUM`` names the program, it must be there, and so must playwright.
"""

import io
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def installed() -> str:
    """Return the program, or skip the test."""
    named = os.environ.get("RETINAGAN_CHROMIUM")
    if named:
        assert Path(named).exists(), f"RETINAGAN_CHROMIUM names {named}, which does not exist"
        return named
    pytest.importorskip("playwright", reason="playwright is not installed")
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        pytest.skip("no Chromium is installed; RETINAGAN_CHROMIUM can name one")
    return found


@contextmanager
def chromium() -> Iterator[object]:
    """Start the browser."""
    program = installed()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Greys and colours are compared, so they must not depend on the machine's screen.
        browser = playwright.chromium.launch(executable_path=program, args=["--force-color-profile=srgb"])
        yield browser
        browser.close()


def until(page, expression: str, seconds: float = 60.0) -> None:
    """Wait until an expression is true; playwright's own way runs text, which a strict page forbids."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {expression}"
        page.wait_for_timeout(20)


def pixels(page, selector: str) -> np.ndarray:
    """Return an element as it is painted: (H, W, 3) uint8."""
    return _decoded(page.locator(selector).screenshot())


def screen(page) -> np.ndarray:
    """Return what can be seen of the page, as it is painted: (H, W, 3) uint8."""
    return _decoded(page.screenshot())


def _decoded(png: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(png)).convert("RGB"))
