"""The C extension, and the text that a package index shows. Everything else is in pyproject.toml."""

import os
import platform
import runpy
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup

if platform.system() == "Windows":
    sys.exit(
        "retinagan does not build on Windows: it needs fcntl, POSIX threads and the vector types of GCC or "
        "Clang; install it on Linux, macOS or the Windows Subsystem for Linux"
    )

# From Python 3.11 on, the stable ABI includes the buffers that Cython's memoryviews need: one abi3 wheel
# serves all later versions. Free-threaded Python has no stable ABI. RETINAGAN_STABLE_ABI=0 turns it off.
STABLE_ABI = (
    os.environ.get("RETINAGAN_STABLE_ABI") != "0"
    and sys.implementation.name == "cpython"
    and sys.version_info >= (3, 11)
    and not sysconfig.get_config_var("Py_GIL_DISABLED")
)

# A package index knows no relative links. They become links into the repository at this address; without one,
# which is so outside the release workflow, they become plain text.
REPOSITORY = os.environ.get("RETINAGAN_REPOSITORY", "").rstrip("/")
links = runpy.run_path(str(Path("docs", "site", "links.py")))
readme = Path("README.md").read_text(encoding="utf-8")

setup(
    long_description=links["relink"](readme, "README.md", links["in_repository"](REPOSITORY)),
    long_description_content_type="text/markdown",
    project_urls=links["project_urls"](REPOSITORY),
    ext_modules=[
        Extension(
            "retinagan.ace_ext._ace",
            sources=[
                "ace_ext/_ace.pyx",
                "ace_ext/ace.c",
                "ace_ext/ace_memory.c",
                "ace_ext/ace_threads.c",
                "ace_ext/ace_kernel.c",
                "ace_ext/ace_direct.c",
            ],
            depends=["ace_ext/_ace.pxd", *map(str, sorted(Path("ace_ext").glob("*.h")))],
            include_dirs=["ace_ext"],
            define_macros=[("Py_LIMITED_API", "0x030B0000")] if STABLE_ABI else [],
            py_limited_api=STABLE_ABI,
            extra_compile_args=[
                "-O3",
                "-std=c11",
                "-ffp-contract=off",  # the results are the same on every machine
                "-fno-math-errno",
                "-fvisibility=hidden",  # never replaced by a program's own libretinagan_ace
                "-pthread",
                "-Wno-psabi",
            ],
            extra_link_args=["-pthread"],
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if STABLE_ABI else {},
)
