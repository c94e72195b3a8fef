"""One part of a run that several machines share: which images are its own, and where it reports them.

A job array of a cluster, such as SLURM's, starts the same command with another number in each task. The tasks
need nothing of one another but a common output folder.
"""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from retinagan.runtime.batch.pictures import compared
from retinagan.runtime.errors import OptionError

ROWS = "rows"
"""The folder, in the output folder, with the reports of runs that share it."""

_UID = re.compile(r"\d+(\.\d+){3,}")  # as DICOM files are called; its end is no extension
_FILE = re.compile(r"(.+)\.(\d+)-of-(\d+)(\.csv)")


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
        whole = re.sub(r"#\d+$", "", name)  # without the number of a frame
        is_uid = _UID.fullmatch(whole.rpartition("/")[2])
        stem = whole if is_uid else os.path.splitext(whole)[0]  # noqa: PTH122
        digest = hashlib.sha256(os.fsencode(compared(stem))).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1

    def may_know_of_ours(self, file: str) -> bool:
        """Whether a part's report of this name may have rows of images of this part.

        Those of the other parts of as many have none, and there may be a great many of them.
        """
        match = _FILE.fullmatch(file)
        return match is not None and (int(match[3]) != self.count or int(match[2]) == self.number)


def shard_reports(folder: Path, name: str) -> list[Path]:
    """Return the parts of a table in the folder `ROWS`, sorted; none if there is no such folder."""
    if not folder.is_dir():
        return []
    matches = ((path, _FILE.fullmatch(path.name)) for path in folder.iterdir())
    return sorted(path for path, match in matches if match and match[1] + match[4] == name)
