"""Files that appear whole or not at all: written under a temporary name, then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def written_atomically(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Return a temporary path to write to; rename it to `path` at the end, or delete it on any exception.

    Parameters
    ----------
    path : str or path
        Where the file shall stand. Its folder must exist; a file that is there already is replaced.

    Yields
    ------
    Path
        A hidden name in the same folder with the same suffix (image libraries pick the format by it).

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.stem}.{uuid4().hex[:12]}{target.suffix}")
    try:
        yield temporary
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
