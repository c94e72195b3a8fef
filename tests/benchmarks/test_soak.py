import subprocess
import sys
from pathlib import Path

import pytest
from tiny_model import write_tiny_model

SOAK = Path(__file__).parent.parent.parent / "benchmarks" / "soak.py"


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system has no /proc")
@pytest.mark.parametrize(("policy", "rate"), [("every", "1000"), ("latest", "100")])
def test_a_short_soak(tmp_path, policy, rate):
    command = [sys.executable, str(SOAK), "--frames", "201", "--warm", "100", "--side", "120"]
    command += ["--model", str(write_tiny_model(tmp_path)), "--device", "cpu", "--threads", "1"]
    # so few frames do not fill the window of the statistics before memory is compared, hence the tolerance
    command += ["--policy", policy, "--rate", rate, "--tolerance", "0.05"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stdout.endswith("nothing grew, and every frame is accounted for\n")
    assert "201 frames: " in finished.stdout
