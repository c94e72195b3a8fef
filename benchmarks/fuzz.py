"""Run the fuzz tests for as long as you like, each with new random inputs.

    python benchmarks/fuzz.py --seconds 60              a minute for each test
    python benchmarks/fuzz.py --only file --seed 7      only tests with "file" in their names
    python benchmarks/fuzz.py --only file --replay HEX  one input again, as printed with a failure

Inputs are derived from random bytes; the same seed gives the same inputs. A failure is printed with its
bytes, and the exit code is then 1. Needs the development packages (hypothesis, pytest, onnx).
"""

import argparse
import importlib.util
import random
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

TESTS = Path(__file__).parent.parent / "tests"
MODULES = ("runtime/images/test_fuzz.py", "runtime/stream/test_stream_fuzz.py")
LONGEST = 4096  # bytes, of which most inputs need a few hundred
SHOWN = 3


def targets(only: str) -> dict[str, Callable[[bytes], bytes | None]]:
    """Give the fuzz tests by name; each takes bytes, and gives None where they make no input."""
    sys.path.insert(0, str(TESTS))
    found = {}
    for name in MODULES:
        module_spec = importlib.util.spec_from_file_location(Path(name).stem, TESTS / name)
        module = importlib.util.module_from_spec(module_spec)
        module_spec.loader.exec_module(module)
        tests = {key: value for key, value in vars(module).items() if hasattr(value, "hypothesis")}
        found.update({key: test.hypothesis.fuzz_one_input for key, test in tests.items() if only in key})
    return found


def fuzz(
    target: Callable[[bytes], bytes | None], seconds: float, generator: random.Random
) -> tuple[int, list[str]]:
    """Try a test for some seconds; give how many inputs it took, and what failed, with the bytes."""
    tried, failures, end = 0, [], time.monotonic() + seconds
    while time.monotonic() < end and len(failures) < SHOWN:
        content = generator.randbytes(int(LONGEST ** generator.random()))
        try:
            tried += target(content) is not None
        except Exception:
            failures.append(f"{traceback.format_exc(limit=-6)}--replay {content.hex()}")
    return tried, failures


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz what comes in.")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each test (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", metavar="PART", help="only tests with this in their names")
    parser.add_argument("--replay", metavar="HEX", help="only this input, as a failure names it")
    options = parser.parse_args()
    warnings.simplefilter("error")  # as in the tests
    known = targets(options.only)
    if options.replay:
        for target in known.values():
            target(bytes.fromhex(options.replay))
        return 0
    failed = 0
    print("| test | inputs | failures |\n| --- | ---: | ---: |")
    for name, target in known.items():
        tried, failures = fuzz(target, options.seconds, random.Random(f"{options.seed} {name}"))
        print(f"| {name} | {tried} | {len(failures)} |", flush=True)
        print("\n".join(failures), file=sys.stderr, end="\n" if failures else "")
        failed += len(failures)
    return 1 if failed or not known else 0


if __name__ == "__main__":
    sys.exit(main())
