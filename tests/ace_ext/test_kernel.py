"""The C kernel without Python: each compiler's warnings, sanitizers, and another kind of processor."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KERNEL = ROOT / "ace_ext"
PARTS = ("ace.c", "ace_memory.c", "ace_threads.c", "ace_kernel.c", "ace_direct.c")
SOURCES = [*(KERNEL / name for name in PARTS), ROOT / "tests" / "ace_ext" / "kernel_checks.c"]
WARNINGS = ["-std=c11", "-pedantic", "-Wall", "-Wextra", "-Wno-psabi", "-Werror"]
FLAGS = [*WARNINGS, "-ffp-contract=off", "-pthread"]
RECORDED = Path(__file__).with_name("kernel_checks.txt")
"""What the checks print everywhere: results of an image stay the same to the bit from release to release."""
SANITIZERS = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def run(command, **environment):
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def build(compiler, folder, *options):
    program = folder / "checks"
    run([compiler, *FLAGS, *options, f"-I{KERNEL}", *SOURCES, "-lm", "-o", program])
    return program


def found(compiler):
    """Return the path of a compiler; skip the test if there is none."""
    path = shutil.which(compiler)
    if not path:
        pytest.skip(f"{compiler} is not installed")
    return path


@pytest.fixture(scope="module")
def emulated(tmp_path_factory):
    """The checks under way on another processor, if there is one: slow, so beside the others."""
    compiler, emulator = shutil.which("aarch64-linux-gnu-gcc"), shutil.which("qemu-aarch64")
    if not compiler or not emulator:
        yield None
        return
    program = build(compiler, tmp_path_factory.mktemp("emulated"), "-O2", "-static")
    with subprocess.Popen([emulator, program], stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def sanitized(compiler, folder):
    program = build(compiler, folder, *SANITIZERS)
    return run([program], ASAN_OPTIONS="allocator_may_return_null=1")


@pytest.fixture(scope="module")
def native_results(tmp_path_factory, emulated):
    """What the checks print under the sanitizers of GCC, or of the machine's own compiler."""
    return sanitized(found("gcc" if shutil.which("gcc") else "cc"), tmp_path_factory.mktemp("native"))


def test_checks_pass_under_the_sanitizers_of_clang_and_give_the_same_to_the_bit(tmp_path, native_results):
    assert sanitized(found("clang"), tmp_path) == native_results


def test_clang_optimizes_to_the_same_bits(tmp_path, native_results):
    assert run([build(found("clang"), tmp_path, "-O3", "-fno-math-errno")]) == native_results


def test_results_are_those_of_earlier_releases_to_the_bit(native_results):
    assert native_results == RECORDED.read_text(encoding="utf-8")


def test_each_shape_has_a_result_with_a_mask_and_one_without(native_results):
    lines = [
        re.fullmatch(r"(\d+x\d+x\d+) (masked|whole) [0-9a-f]{8} [0-9a-f]{8}", line).groups()
        for line in native_results.splitlines()
    ]
    shapes = [shape for shape, mask in lines if mask == "whole"]
    assert {"1x1x1", "1x1500x2", "905x911x1"} <= set(shapes)
    assert len(set(shapes)) == len(shapes)
    assert sorted(lines) == sorted((shape, mask) for shape in shapes for mask in ("masked", "whole"))


def test_another_processor_gives_the_same_to_the_bit(native_results, emulated):
    if emulated is None:
        pytest.skip("aarch64-linux-gnu-gcc or qemu-aarch64 is not installed")
    results, _ = emulated.communicate()
    assert emulated.returncode == 0
    assert results == native_results


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["-U__GNUC__", "-U__clang__"],
            "ACE needs GCC 9 or later, or Clang 9 or later: it is written with GNU",
        ),
        (["-U__clang__", "-U__GNUC__", "-D__GNUC__=8"], "this GCC has no __builtin_convertvector"),
        (["-U__clang__", "-D__clang__", "-U__clang_major__", "-D__clang_major__=8"], "this Clang is too old"),
        (["-ffast-math"], "ACE must be compiled without -ffast-math"),
    ],
)
def test_what_the_kernel_cannot_be_compiled_with_is_refused_in_words(options, message, tmp_path):
    source = tmp_path / "assumptions.c"
    source.write_text('#include "ace_assumptions.h"\n')
    command = [found("gcc"), "-std=c11", *options, f"-I{KERNEL}", "-E", source, "-o", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert message in done.stderr


def test_wider_arithmetic_of_floats_is_refused(tmp_path):
    """The assertions are compiled, not only written: one that does not hold stops the compiler."""
    source = tmp_path / "assumptions.c"
    source.write_text(
        "#include <float.h>\n#undef FLT_EVAL_METHOD\n#define FLT_EVAL_METHOD 2\n"
        '#include "ace_assumptions.h"\n'
    )
    command = [found("gcc"), "-std=c11", f"-I{KERNEL}", "-c", source, "-o", tmp_path / "out.o"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "float and double expressions are evaluated in their own type" in done.stderr
