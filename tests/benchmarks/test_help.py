"""Benchmarks that measure for minutes and are run by hand: they start, and print how to use them."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize(
    "name", ["ace", "camera", "confidence", "engines", "measuring", "overhead", "scale_out", "squares"]
)
def test_it_prints_its_usage(name):
    path = BENCHMARKS / f"{name}.py"
    done = subprocess.run(
        [sys.executable, str(path), "--help"], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: {path.name} ")
