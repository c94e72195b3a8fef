import subprocess
import sys
from pathlib import Path

import pytest
from tiny_model import write_tiny_model

pytest.importorskip("fastapi", reason='retina-serve is not installed: pip install "retinagan[serve]"')
pytest.importorskip("tritonclient.http", reason='no client: pip install "tritonclient[http]"')

SERVING = Path(__file__).parents[2] / "benchmarks" / "serving.py"


@pytest.mark.server
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system has no /proc")
@pytest.mark.parametrize("send", ["file", "pixels"])
def test_a_short_load(tmp_path, send):
    command = [sys.executable, str(SERVING), "--seconds", "4", "--warm", "1", "--tolerance", "0.5"]
    command += [
        "--model",
        str(write_tiny_model(tmp_path)),
        "--device",
        "cpu",
        "--threads",
        "1",
        "--send",
        send,
    ]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "the server ended with exit code 0" in finished.stdout
    assert "\n| 4 | " in finished.stdout
    assert finished.stdout.endswith("nothing is lost or mixed up, and memory is flat\n")


def test_it_prints_its_usage():
    done = subprocess.run(
        [sys.executable, str(SERVING), "--help"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: serving.py ")
