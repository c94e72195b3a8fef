"""The bounds on the page on exports are those that a precision is held to."""

import re
from pathlib import Path

from retinagan.export.proof.bounds import BOUNDS, Bounds

PAGE = Path(__file__).parents[2] / "docs" / "export.md"


def test_the_bounds_of_each_precision_are_listed():
    table = PAGE.read_text(encoding="utf-8").partition("| precision | refused if |")[2].partition("\n\n")[0]
    listed = {}
    for names, text in re.findall(r"^\| ([A-Z\d, ]+) \| (.+) \|$", table, re.MULTILINE):
        difference = re.search(r"a probability differs from torch's by more than ([\d.]+)", text)
        drop = re.search(r"Dice against truth drops by more than ([\d.]+)", text)
        least = re.search(r"without truth: Dice between .* is below ([\d.]+)", text)
        bounds = Bounds(
            max_difference=float(difference[1]) if difference else None,
            min_map_dice=float(least[1]),
            max_drop=float(drop[1]),
        )
        listed |= {name.lower(): bounds for name in names.split(", ")}
    assert listed == BOUNDS
