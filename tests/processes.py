"""Run programs with the import path of the tests, alone or in two processes with torchrun."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent


def python(*arguments, timeout=600):
    """Run Python on one thread."""
    path = os.pathsep.join(str(TESTS.parent / name) for name in ("tests", "examples"))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    command = [sys.executable, *arguments]
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.terminate()  # not killed: torchrun then stops what it has started
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def torchrun(*arguments):
    """Run two processes under torchrun."""
    return python("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *arguments)
