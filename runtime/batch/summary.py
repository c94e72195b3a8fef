"""What a run has come to, counted while it runs and said at its end."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from retinagan.runtime.batch.inputs import Found
from retinagan.runtime.batch.report import Report
from retinagan.runtime.batch.row import FAILED, WARNING, Row
from retinagan.runtime.batch.shard import Shard
from retinagan.runtime.console.wording import counted, spoken

_FOLDERS_SHOWN = 5


@dataclass
class Tally:
    """Counts of a run's images: all, and those that are kept from before, done, failed, and in doubt.

    `warned` counts the images that are done with warnings, which are not among `done`; `codes` counts the
    images by the codes of their warnings. `shard` is the part of a larger run that these images are.
    """

    total: int
    kept: int
    done: int = 0
    failed: int = 0
    warned: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    shard: Shard | None = None
    clock: Callable[[], float] = time.monotonic
    start: float = field(init=False)

    def __post_init__(self) -> None:
        self.start = self.clock()

    def count(self, row: Row) -> None:
        """Count an image of this run."""
        self.codes.update(row.warnings.split())
        if row.status == FAILED:
            self.failed += 1
        elif row.status == WARNING:
            self.warned += 1
        else:
            self.done += 1


def counts(tally: Tally) -> str:
    """Return the line that counts a run's images."""
    missing = tally.total - tally.kept - tally.done - tally.warned - tally.failed
    parts = [f"{tally.done} done"]
    parts += [f"{tally.warned} with warnings"] if tally.warned else []
    parts += [f"{tally.kept} kept from before"] if tally.kept else []
    parts += [f"{tally.failed} failed"] if tally.failed else []
    parts += [f"{missing} not reached; run the same command again to continue"] if missing else []
    shard = f" of shard {tally.shard}" if tally.shard else ""
    return f"{counted(tally.total, 'image')}{shard}: {', '.join(parts)}"


def summary(tally: Tally, found: Found, report: Report, page: Path | None = None) -> Iterator[str]:
    """Yield the last lines of a run; `page` is where report.html is, if it is written."""
    yield counts(tally)
    if tally.codes:
        codes = sorted(tally.codes.items(), key=lambda item: (-item[1], item[0]))
        yield f"warnings: {', '.join(f'{code} {count}' for code, count in codes)}"
    more = ", ..." if found.others > len(found.examples) else ""
    examples = f" ({', '.join(found.examples)}{more})" if found.examples else ""
    passed = [f"{counted(found.others, 'other file')}{examples}"] if found.others else []
    passed += [f"{counted(found.own, 'picture')} of earlier runs"] if found.own else []
    passed += [f"{count} of the DICOM class {name}" for name, count in found.objects]
    if passed:
        yield f"skipped: {', '.join(passed)}"
    if found.empty:
        more = ", ..." if len(found.empty) > _FOLDERS_SHOWN else ""
        yield f"no images in {', '.join(found.empty[:_FOLDERS_SHOWN])}{more}"
    segmented = tally.done + tally.warned
    if segmented:
        seconds = tally.clock() - tally.start
        settings = report.settings
        yield (
            f"{spoken(seconds)}, {segmented / seconds:.2f} images/s; {settings.engine}; "
            f"model {settings.model} {settings.model_sha256[:12]}"
        )
    yield f"report: {report.path}{f', {page}' if page else ''}"
