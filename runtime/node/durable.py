"""Files that outlast a power cut: their content, and the names that lead to them, are on the disk."""

import os
from pathlib import Path


def synced(path: Path) -> None:
    """Wait until the content of a file, or the names in a folder, are on the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def made_folder(path: Path) -> None:
    """Make a folder with its parents, all on the disk, that no other user may look into."""
    if path.is_dir():
        return
    made_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    synced(path.parent)


def moved(source: Path, target: Path) -> None:
    """Rename a file, and wait until both are on the disk, the file and its new name."""
    made_folder(target.parent)
    synced(source)
    source.replace(target)
    synced(target.parent)
