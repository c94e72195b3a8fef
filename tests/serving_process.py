"""`retina-serve` as a process of its own, at a port that is free."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class ServingProcess:
    """A server that answers; `port` is its port, `said` what it printed at the start."""

    def __init__(self, process: subprocess.Popen, port: int, said: list[str]) -> None:
        self.process = process
        self.port = port
        self.said = said

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def end(self) -> tuple[int, str]:
        """Wait for the end; return the exit code, and what was printed on stderr."""
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


@contextmanager
def serving(*arguments: str) -> Iterator[ServingProcess]:
    """Start a server with these arguments, and kill it at the end if it still runs."""
    command = [sys.executable, "-m", "retinagan.runtime.serve.cli", "--port", "0", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        said = [process.stdout.readline() for _ in range(2)]
        found = re.search(r"http://\S+:(\d+) ", said[1])
        assert found, (said, process.communicate(timeout=60))
        yield ServingProcess(process, int(found[1]), said)
    finally:
        process.kill()
        process.communicate()
