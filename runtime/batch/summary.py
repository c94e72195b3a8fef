"""What a run has come to, counted while it runs and said at its end."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from retinagan.runtime.batch.inputs import Found
from retinagan.runtime.batch.report import FAILED, Report, Row
from retinagan.runtime.console.wording import counted, spoken

_FOLDERS_SHOWN = 5


@dataclass
class Tally:
    """Counts of a run's images: all, and those that are kept from before, done and failed."""

    total: int
    kept: int
    done: int = 0
    failed: int = 0
    clock: Callable[[], float] = time.monotonic
    start: float = field(init=False)

    def __post_init__(self) -> None:
        self.start = self.clock()

    def count(self, row: Row) -> None:
        """Count an image that this run did."""
        if row.status == FAILED:
            self.failed += 1
        else:
            self.done += 1


def summary(tally: Tally, found: Found, report: Report) -> Iterator[str]:
    """Give the lines that end a run."""
    missing = tally.total - tally.kept - tally.done - tally.failed
    counts = [f"{tally.done} done"]
    counts += [f"{tally.kept} kept from before"] if tally.kept else []
    counts += [f"{tally.failed} failed"] if tally.failed else []
    counts += [f"{missing} not reached: the same command goes on from here"] if missing else []
    yield f"{counted(tally.total, 'image')}: {', '.join(counts)}"
    more = ", ..." if found.others > len(found.examples) else ""
    examples = f" ({', '.join(found.examples)}{more})" if found.examples else ""
    passed = [f"{counted(found.others, 'other file')}{examples}"] if found.others else []
    passed += [f"{counted(found.own, 'picture')} of earlier runs"] if found.own else []
    if passed:
        yield f"passed over: {', '.join(passed)}"
    if found.empty:
        more = ", ..." if len(found.empty) > _FOLDERS_SHOWN else ""
        yield f"no images in {', '.join(found.empty[:_FOLDERS_SHOWN])}{more}"
    if tally.done:
        seconds = tally.clock() - tally.start
        settings = report.settings
        yield (
            f"{spoken(seconds)}, {tally.done / seconds:.2f} images/s; {settings.engine}; "
            f"model {settings.model} {settings.model_sha256[:12]}"
        )
    yield f"report: {report.path}"
