import csv
import shutil
from pathlib import Path

import pytest
from browser import chromium, installed
from drawn_report import write_images, write_report
from report_page import opened, rows_of


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """The output folder of a run with measures, made once; not in vain, where no browser is installed."""
    installed()
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
