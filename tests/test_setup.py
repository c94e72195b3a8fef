"""What setup.py builds, and where it refuses to."""

import os
import platform
import subprocess
import sys
import sysconfig
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from retinagan.ace_ext import _ace

ROOT = Path(__file__).parent.parent
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
STABLE_ABI = sys.version_info >= (3, 11) and not sysconfig.get_config_var("Py_GIL_DISABLED")

# Runs without numpy: what is built of the kernel needs nothing but the standard library.
EQUALIZE = """
import hashlib, importlib.util, sys
spec = importlib.util.spec_from_file_location("retinagan.ace_ext._ace", sys.argv[1])
kernel = importlib.util.module_from_spec(spec)
spec.loader.exec_module(kernel)
shape = (120, 90, 3)
size = 120 * 90 * 3
image = memoryview(bytes(i * i // 7 % 251 for i in range(size))).cast("B", shape)
result = memoryview(bytearray(size)).cast("B", shape)
ranges = memoryview(bytearray(48)).cast("B").cast("d", (3, 2))
kernel.equalize(image, None, 5.0, 2, kernel.Workspace(), result, ranges)
print(hashlib.sha256(result).hexdigest(), list(ranges.cast("B").cast("d")))
try:
    kernel.equalize(image, None, 0.5, 1, kernel.Workspace(), result, ranges)
except ValueError as error:
    print(error)
"""


def run(code, *arguments, python=sys.executable, folder=ROOT):
    command = [str(python), "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_on_windows_setup_refuses_in_a_sentence():
    pytest.importorskip("setuptools")
    done = run("import platform, runpy; platform.system = lambda: 'Windows'; runpy.run_path('setup.py')")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "retinagan does not build on Windows: it needs fcntl, POSIX threads and the vector types of GCC or "
        "Clang; install it on Linux, macOS or the Windows Subsystem for Linux\n"
    )


def wheel_tag(patch=""):
    """The tag of a wheel that setup.py would build, and the macros of its extension."""
    code = f"""
import setuptools, runpy, sys, sysconfig
{patch}
given = {{}}
setuptools.setup = given.update
runpy.run_path("setup.py")
extension = given["ext_modules"][0]
print(extension.py_limited_api, extension.define_macros, given["options"])
"""
    done = run(code)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


ONE_FOR_ALL = "True [('Py_LIMITED_API', '0x030B0000')] {'bdist_wheel': {'py_limited_api': 'cp311'}}"
ONE_FOR_THIS = "False [] {}"


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ("sys.version_info = (3, 10, 13)", ONE_FOR_THIS),
        ("sys.version_info = (3, 11, 0); sysconfig.get_config_var = lambda name: 0", ONE_FOR_ALL),
        ("sys.version_info = (3, 14, 0); sysconfig.get_config_var = lambda name: 0", ONE_FOR_ALL),
        ("sys.version_info = (3, 14, 0); sysconfig.get_config_var = lambda name: 1", ONE_FOR_THIS),
        ("import os; os.environ['RETINAGAN_STABLE_ABI'] = '0'", ONE_FOR_THIS),
    ],
)
def test_one_wheel_serves_all_versions_from_3_11_on(patch, expected):
    pytest.importorskip("setuptools")
    assert wheel_tag(patch) == expected


def test_the_kernel_is_built_for_the_stable_abi_where_there_is_one():
    suffix = (
        ".abi3.so" if STABLE_ABI and platform.python_implementation() == "CPython" else EXTENSION_SUFFIXES[0]
    )
    assert Path(_ace.__file__).name == f"_ace{suffix}"


@pytest.mark.skipif(not STABLE_ABI, reason="this Python's kernel is for it alone")
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_one_build_gives_the_same_on_every_version(version, tmp_path):
    pythons = sorted(PYENV.glob(f"{version}.*/bin/python"))
    if not pythons:
        pytest.skip(f"Python {version} is not installed under {PYENV}")
    other = run(EQUALIZE, _ace.__file__, python=pythons[-1], folder=tmp_path)
    here = run(EQUALIZE, _ace.__file__, folder=tmp_path)
    assert here.returncode == other.returncode == 0, here.stderr + other.stderr
    assert other.stdout == here.stdout
    assert here.stdout.endswith("alpha is outside 1 to 255; the usual value is 5\n")
