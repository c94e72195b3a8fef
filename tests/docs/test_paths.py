"""The files that the pages for contributors name are there, and every wing has its row."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE-WEIGHTS.md")
FOLDERS = ("ace_ext", "runtime", "train", "export", "tests", "docs", "examples", "benchmarks", ".github")
NAMED = re.compile(r"`((?:" + "|".join(map(re.escape, FOLDERS)) + r")/[\w./*{},-]*)`")


def named_paths(page: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return [path for path in NAMED.findall(text) if "NAME" not in path]


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_a_page_names_exists(page):
    missing = [path for path in named_paths(page) if not list(ROOT.glob(path.rstrip("/")))]
    assert missing == [], f"{page} names paths that do not exist: rename them there too"


def test_paths_are_found_in_the_pages():
    assert len(named_paths("ARCHITECTURE.md")) > 40
    assert len(named_paths("CONTRIBUTING.md")) > 10


def test_the_architecture_names_every_wing():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    wings = {
        path.parent.relative_to(ROOT).as_posix()
        for room in ("runtime", "train", "export")
        for path in (ROOT / room).glob("*/__init__.py")
    }
    assert [wing for wing in sorted(wings) if f"`{wing}/`" not in text] == []
