"""What the page on folders says of run.csv, extensions and exit codes is what `retina-run` does."""

import re
from pathlib import Path

import pytest

from retinagan.runtime.batch import cli
from retinagan.runtime.batch.row import COLUMNS, STAGES
from retinagan.runtime.images.reading import MAX_PIXELS, SUFFIXES
from retinagan.runtime.warnings import SENTENCES


@pytest.fixture(scope="module")
def page() -> str:
    return (Path(__file__).parents[2] / "docs" / "folders.md").read_text(encoding="utf-8")


def test_every_column_of_the_report_is_explained(page):
    table = page.partition("## run.csv")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    steps = {f"seconds_{stage}" for stage in STAGES[1:-1]}  # the row gives the first and the last
    assert named == set(COLUMNS) - steps
    assert ", ".join(STAGES) in table


def test_every_extension_is_listed(page):
    listed = re.search(r"extension: `([^`]*)`", page)[1].split()
    assert listed == list(SUFFIXES)
    assert f"more than {MAX_PIXELS // 10**6} million pixels" in page


def test_the_exit_codes_are_those_of_the_command(page):
    epilog = cli._EPILOG.partition("exit code:")[2]
    table = page.partition("| exit code |")[2].partition("\n\n")[0]
    listed = re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE)
    assert ", ".join(listed).split(", ") == re.findall(r"\b\d+\b", epilog)


def test_every_warning_is_listed_with_its_sentence(page):
    table = page.partition("## Warnings")[2].partition("\n## ")[0]
    listed = dict(re.findall(r"^\| `([\w-]+)` \| (.+?)(?: \(`--.*)? \|$", table, re.MULTILINE))
    assert listed == SENTENCES
