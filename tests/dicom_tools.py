"""Other programs' judgement of DICOM files: dicom3tools (dciodvfy, dcentvfy) and DCMTK (dsrdump, dcmdump)."""

import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGES = {"dciodvfy": "dicom3tools", "dcentvfy": "dicom3tools", "dsrdump": "dcmtk", "dcmdump": "dcmtk"}


def printed(tool: str, *arguments: object) -> str:
    """Return what a tool prints; skip the test where it is not installed."""
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed: apt-get install {PACKAGES[tool]}")
    command = [tool, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=120)
    return done.stdout + done.stderr


def errors_in(path: Path) -> list[str]:
    """Return the errors that dciodvfy finds in a file, judged by the definition of its class."""
    lines = printed("dciodvfy", "-new", path).splitlines()
    classes = [line for line in lines if line and not line.startswith(("Error", "Warning"))]
    assert len(classes) == 1, f"expected the name of a class that dciodvfy knows: {lines}"
    return [line for line in lines if line.startswith("Error")]


def contradictions_among(paths: list[Path]) -> list[str]:
    """Return where dcentvfy finds that files of one patient, study or series contradict each other."""
    return [line for line in printed("dcentvfy", *paths).splitlines() if line.startswith("Error")]
