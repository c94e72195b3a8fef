"""One part of a run that several machines share: which images are its own, and where it reports them.

A job array of a cluster, such as SLURM's, starts the same command with another number in each task. The tasks
need nothing of one another but a common output folder.
"""

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from retinagan.runtime.batch.pictures import compared, stem_and_frame
from retinagan.runtime.errors import OptionError

ROWS = "rows"
"""The folder, in the output folder, with the reports of runs that share it."""

_FILE = re.compile(r"(.+?)(?:\.(\d+)-of-(\d+))?(?:\.part-[0-9a-f]{12}-\d+)?(\.csv|\.parquet)")


@dataclass(frozen=True)
class Shard:
    """Part `number`, from 1, of the `count` parts of a run.

    An image belongs to a part by the hash of its name, so that images that are added while the parts run
    change the part of no other, as they would if parts were assigned in turn. The hash leaves out what
    follows the stem: images that might write to one name (``a.png``, ``a.tif``, ``A.tif#2``) are in one part.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Return the shard that a text such as ``3/16`` names.

        Raises
        ------
        OptionError
            If it is no such text, or the number is not from 1 to the count.
        """
        match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII)
        if match is None:
            raise OptionError(f"argument --shard: got {text!r}; expected a number and a count, such as 3/16")
        number, count = int(match[1]), int(match[2])
        if not 1 <= number <= count:
            raise OptionError(
                f"argument --shard: got {text!r}; expected a number from 1 to the count"
                + (f": with {count} tasks in SLURM, --array=1-{count}" if number == 0 and count else "")
            )
        return cls(number, count)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def report(self, name: str) -> str:
        """Return the name of its part of a table in the folder `ROWS`: ``run.3-of-16.csv`` of ``run.csv``."""
        stem, suffix = os.path.splitext(name)  # noqa: PTH122
        return f"{stem}.{self.number}-of-{self.count}{suffix}"

    def holds(self, name: str) -> bool:
        """Whether an image of this name (`Input.name`) belongs to this part."""
        stem = compared(stem_and_frame(name)[0])
        digest = hashlib.sha256(os.fsencode(stem)).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1

    def may_know_of_ours(self, file: str) -> bool:
        """Whether a report of this name, in the folder `ROWS`, may have rows of images of this part.

        Those of the other parts of as many have none, and there may be a great many of them.
        """
        match = _FILE.fullmatch(file)
        return match is not None and (match[3] != str(self.count) or match[2] == str(self.number))


def reports_of(table: str, names: Iterable[str]) -> list[str]:
    """Return those of the files in the folder `ROWS` that are reports of a table such as ``run.csv``.

    They are those of shards, ``run.3-of-16.csv``, and where files cannot grow what a run has written of one
    so far, ``run.part-0123456789ab-00001.csv``. Those of workers of a cluster end with ``.parquet``.
    """
    found = []
    for name in names:
        file = name.rpartition("/")[2]
        match = _FILE.fullmatch(file)
        if match and file != table and f"{match[1]}.csv" == table:
            found.append(name)
    return found
