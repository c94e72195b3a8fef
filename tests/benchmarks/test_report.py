import re
import sys
from pathlib import Path

import pytest
from browser import installed

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def report(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import report

    return report


def run(report, monkeypatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["report.py", *words])
    report.main()


def test_a_table_of_times_and_memory(report, monkeypatch, capsys):
    monkeypatch.setattr(report, "EYES", 1)
    words = ["--images", "12", "--runs", "1", "--steps", "4", "--chromium", installed()]
    run(report, monkeypatch, *words)
    title, _, *rows = capsys.readouterr().out.splitlines()
    assert title == "| report of 12 images | |"
    table = dict(line.strip("| ").split(" | ") for line in rows)
    assert float(table["first paint"].removesuffix(" s")) > 0
    assert float(table["first picture whole"].removesuffix(" s")) > 0
    assert all(re.fullmatch(r"\d+ MiB", table[f"memory after {count} images"]) for count in range(5))
    assert int(table["elements in the document"]) > 100


def test_what_it_needs_is_said(report, monkeypatch):
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(SystemExit, match=r"needs playwright; install it with: pip install playwright"):
        run(report, monkeypatch)


def test_a_browser_is_needed(report, monkeypatch):
    pytest.importorskip("playwright", reason="playwright is not installed")
    monkeypatch.setattr(report.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match=r"needs Chromium; install it, or name it with --chromium"):
        run(report, monkeypatch)
