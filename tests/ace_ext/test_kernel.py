"""The C kernel by itself: under sanitizers, and on another kind of processor."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "ace_ext" / name for name in ("ace.c", "ace_kernel.c", "ace_direct.c")]
SOURCES.append(ROOT / "tests" / "ace_ext" / "kernel_checks.c")
FLAGS = ["-std=c11", "-ffp-contract=off", "-Wall", "-Wextra", "-Wno-psabi", "-Werror", "-pthread"]


def run(command, **environment):
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def build(compiler, folder, *options):
    program = folder / "checks"
    run([compiler, *FLAGS, *options, f"-I{ROOT / 'ace_ext'}", *SOURCES, "-lm", "-o", program])
    return program


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


@pytest.fixture(scope="module")
def native_results(tmp_path_factory, emulated):
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("there is no C compiler (cc)")
    sanitizers = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    program = build(compiler, tmp_path_factory.mktemp("native"), *sanitizers)
    return run([program], ASAN_OPTIONS="allocator_may_return_null=1")


def test_checks_pass_under_sanitizers(native_results):
    assert native_results.count("\n") == 34


def test_another_processor_gives_the_same_to_the_bit(native_results, emulated):
    if emulated is None:
        pytest.skip("aarch64-linux-gnu-gcc or qemu-aarch64 is not installed")
    results, _ = emulated.communicate()
    assert emulated.returncode == 0
    assert results == native_results
