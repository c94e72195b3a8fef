"""Run a program in two processes with torchrun."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent


def torchrun(*arguments, timeout=120):
    """Run two processes under torchrun, with the import path of the tests."""
    path = os.pathsep.join(str(TESTS.parent / name) for name in ("tests", "examples"))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )
