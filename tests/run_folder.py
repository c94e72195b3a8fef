"""What `retina-run` left in its output folder."""

import csv
from pathlib import Path


def rows(out: str = "out") -> dict[str, dict[str, str]]:
    with Path(out, "run.csv").open(newline="", encoding="utf-8") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def pictures(out: str = "out") -> list[str]:
    return sorted(str(path.relative_to(out)) for path in Path(out).rglob("*_*.*"))


def angles() -> set[tuple[str, str, str]]:
    names = ("field_of_view", "field_of_view_from", "working_size")
    return {tuple(row[name] for name in names) for row in rows().values()}
