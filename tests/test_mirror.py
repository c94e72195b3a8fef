"""Each module of the package has a test file of its name, at the same place below `tests`."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent
ROOMS = ("ace_ext", "runtime", "train", "export", "examples", "benchmarks")

ELSEWHERE = {
    "benchmarks/ace.py": "benchmarks/test_help.py",
    "benchmarks/camera.py": "benchmarks/test_help.py",
    "benchmarks/engines.py": "benchmarks/test_help.py",
    "benchmarks/measuring.py": "benchmarks/test_help.py",
    "benchmarks/overhead.py": "benchmarks/test_help.py",
    "benchmarks/scale_out.py": "benchmarks/test_help.py",
    "benchmarks/squares.py": "benchmarks/test_help.py",
    "runtime/batch/cluster/opening.py": "runtime/batch/cluster/test_cluster_batch.py",
    "train/loop/learning.py": "train/loop/test_command.py",
    "train/loop/release.py": "train/loop/test_command.py",
}
"""Modules that are tested in a file of another name, and why.

benchmarks: they measure for minutes, so that the tests only start them.
opening: what it opens is a cluster.
learning, release: seen in what the command trains on, and in the checkpoint that it leaves.
"""


def modules():
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if path.name != "__init__.py":
                yield path.relative_to(ROOT)


@pytest.mark.parametrize("module", list(modules()), ids=str)
def test_a_module_has_a_test_file_of_its_name(module):
    own = module.with_name(f"test_{module.name}")
    expected = ELSEWHERE.get(module.as_posix(), own.as_posix())
    assert (TESTS / expected).is_file(), (
        f"{module} has no tests/{own}: write it; if another file tests the module, name that in ELSEWHERE in "
        "tests/test_mirror.py, with the reason"
    )
    assert expected == own.as_posix() or not (TESTS / own).exists(), (
        f"tests/{own} is there: take {module} out of ELSEWHERE in tests/test_mirror.py"
    )


def test_only_modules_that_exist_are_tested_elsewhere():
    assert [name for name in ELSEWHERE if not (ROOT / name).is_file()] == []
