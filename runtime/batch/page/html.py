"""report.html as bytes: one page with its style, program and data; its policy lets it load pictures alone."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from functools import lru_cache
from importlib.resources import files
from typing import Any

from retinagan.runtime import __version__
from retinagan.runtime.batch.overlay import VESSEL_COLOR
from retinagan.runtime.batch.page.levels import TILE
from retinagan.runtime.batch.page.pictures import THUMBNAIL_NAME
from retinagan.runtime.batch.page.rows import OWN_NUMBERS, STATUSES, Rows, Run, Shown
from retinagan.runtime.console.wording import counted
from retinagan.runtime.warnings import SENTENCES

FILE_NAME = "report.html"
PICTURES = "report"
MARK = b'<meta name="generator" content="retina-run'
"""What a page begins with that retina-run wrote."""

HEAD = 1000
"""Bytes of a page that hold the mark and the page's number."""

_NUMBER = re.compile(rb'<meta name="report" content="([0-9a-f]{16})">')
_PROGRAM = (
    "data.js",
    "marks.js",
    "filters.js",
    "tiles.js",
    "picture.js",
    "card.js",
    "histograms.js",
    "table.js",
    "main.js",
)


def number_of(head: bytes) -> str | None:
    """Return the number of a page from its first bytes; marks are kept by it in the browser."""
    found = _NUMBER.search(head)
    return found[1].decode() if found else None


def html_of(rows: Rows, *, number: str, hidden: bool, written: datetime | None = None) -> Iterator[bytes]:
    """Yield report.html in parts.

    Parameters
    ----------
    rows : Rows
        What it shows. All of it is hostile: file names and messages can hold any text.
    number : str
        16 hexadecimal digits that stay the same when the page is written again.
    hidden : bool
        Whether digits stand in place of names.
    written : datetime, optional
        Now if left out.
    """
    written = written or datetime.now(timezone.utc)
    style, program = _text("page.css"), _program()
    parts = {
        "version": __version__,
        "number": number,
        "policy": _policy(style, program),
        "style": style,
        "summary": _summary(rows),
        "data": _data(rows, number, hidden, written),
        "program": program,
    }
    # One pass, so that nothing in a part is taken for a place of another.
    for place, text in enumerate(re.split(r"\{\{(\w+)\}\}", _text("page.html"))):
        yield (parts[text] if place % 2 else text).encode()


def _policy(style: str, program: str) -> str:
    """Return the content security policy: this style, this program, pictures from beside the page.

    No text becomes markup (trusted types), whatever the program does with it.
    """
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hash(program)}",
            f"style-src {_hash(style)}",
            "img-src 'self' file:",  # a page on a disk has no origin that each browser calls 'self'
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _summary(rows: Rows) -> str:
    """Return the counts of the images, which the page shows before its program runs."""
    count = [sum(image.status == status for image in rows.shown) for status in range(len(STATUSES))]
    done, doubted, failed = count
    parts = [f"{done} done"]
    parts += [f"{doubted} with warnings"] if doubted else []
    parts += [f"{failed} failed"] if failed else []
    return f"{counted(len(rows.shown), 'image')}: {', '.join(parts)}"


def _data(rows: Rows, number: str, hidden: bool, written: datetime) -> str:
    """Return what the program reads, as JSON that cannot end its element: ASCII without ``<``."""
    columns: list[Any] = [list(column) for column in zip(*rows.shown, strict=True)]
    data = {
        "number": number,
        "hidden": hidden,
        "written": written.isoformat(timespec="seconds"),
        "pictures": PICTURES,
        "tile": TILE,
        "thumbnail": THUMBNAIL_NAME,
        "vesselColor": VESSEL_COLOR,
        "statuses": STATUSES,
        "sentences": SENTENCES,
        "ownNumbers": len(OWN_NUMBERS),
        "runs": [dict(zip(Run._fields, run, strict=True)) for run in rows.runs],
        "images": dict(zip(Shown._fields, columns or [[] for _ in Shown._fields], strict=True)),
        "numbers": rows.numbers,
    }
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


@lru_cache
def _program() -> str:
    return "\n".join(_text(name) for name in _PROGRAM)


@lru_cache
def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
