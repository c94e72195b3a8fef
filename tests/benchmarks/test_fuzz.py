import random
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


def run(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(BENCHMARKS / "fuzz.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_tries_the_tests_that_it_is_told_to():
    finished = run("--seconds", "2", "--only", "text_is_a_spec")
    assert (finished.returncode, finished.stderr) == (0, "")
    *_, row = finished.stdout.splitlines()
    name, tried, failures = (cell.strip() for cell in row.strip("|").split("|"))
    assert name == "test_any_text_is_a_spec_or_a_model_error"
    assert int(tried) > 0
    assert failures == "0"


def test_no_such_test():
    assert run("--seconds", "0", "--only", "nothing of this kind").returncode == 1


def test_a_failure_is_told_with_its_input(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import fuzz

    def target(content: bytes) -> bytes | None:
        if len(content) > 20:
            raise ValueError("too long")
        return content if content else None

    tried, failures = fuzz.fuzz(target, 60.0, random.Random(1))
    assert tried > 0
    assert len(failures) == fuzz.SHOWN
    assert "ValueError: too long" in failures[0]
    replayed = bytes.fromhex(failures[0].rpartition("--replay ")[2])
    assert len(replayed) > 20
