"""Triton's server of the wheel nvidia-pytriton, started by hand with the Python of an environment."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_ASKED = """
import importlib.util, json, sys, sysconfig
print(json.dumps({
    "version": "%d.%d" % sys.version_info[:2],
    "libraries": sysconfig.get_config_var("LIBDIR"),
    "packages": sysconfig.get_path("purelib"),
    "prefix": sys.prefix,
}))
"""


@dataclass(frozen=True)
class Environment:
    """A virtual environment: its Python's version, and where libpython, packages and it itself lie."""

    version: str
    libraries: str
    packages: str
    prefix: str

    @classmethod
    def of(cls, python: str | os.PathLike[str]) -> "Environment":
        asked = subprocess.run([python, "-c", _ASKED], capture_output=True, text=True, check=True)
        return cls(**json.loads(asked.stdout))

    @property
    def python(self) -> str:
        return f"{self.prefix}/bin/python"


def triton_environment() -> Environment:
    """Return the environment with Triton's server, or skip the test."""
    folder = os.environ.get("RETINAGAN_TRITON")
    if not folder:
        pytest.skip("RETINAGAN_TRITON names no environment with nvidia-pytriton: make .venv-triton/installed")
    return Environment.of(Path(folder).absolute() / "bin" / "python")


@contextmanager
def tritonserver(
    triton: Environment, models: Environment, repository: Path, name: str, work: Path
) -> Iterator[tuple[subprocess.Popen, str, Path]]:
    """Start a server of one model whose Python is that of `models`; give process, address and log."""
    package = Path(triton.packages, "pytriton", "tritonserver")
    backend = work / "backends" / "python"
    shutil.copytree(package / "backends" / "python", backend)
    stub = package / "python_backend_stubs" / models.version / "triton_python_backend_stub"
    if not stub.is_file():
        pytest.skip(f"nvidia-pytriton has no stub for Python {models.version}")
    shutil.copy(stub, backend)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [
        package / "bin" / "tritonserver",
        *("--model-repository", repository, "--backend-directory", backend.parent),
        *("--model-control-mode", "explicit", "--load-model", name),
        *("--http-address", "127.0.0.1", "--http-port", str(port)),
        *("--allow-grpc", "false", "--allow-metrics", "false"),
    ]
    libraries = f"{triton.packages}/nvidia_pytriton.libs:{models.libraries}"
    # The stub ignores PYTHONPATH; it takes the first python3 on PATH.
    path = f"{models.prefix}/bin:{os.environ['PATH']}"
    log = work / "log"
    with log.open("w") as written:
        process = subprocess.Popen(
            command,
            stdout=written,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LD_LIBRARY_PATH": libraries, "PATH": path, "OMP_NUM_THREADS": "1"},
        )
    try:
        yield process, f"127.0.0.1:{port}", log
    finally:
        process.terminate()
        process.wait(60)


def wait_until_ready(process: subprocess.Popen, address: str, log: Path) -> None:
    """Wait until the server is ready; fail with its log if it ends before."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"http://{address}/v2/health/ready", timeout=10):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())
