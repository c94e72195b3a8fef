"""The Cython extension; all else stands in pyproject.toml."""

from pathlib import Path

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "retinagan.ace_ext._ace",
            sources=["ace_ext/_ace.pyx", "ace_ext/ace.c", "ace_ext/ace_kernel.c", "ace_ext/ace_direct.c"],
            depends=["ace_ext/_ace.pxd", *map(str, sorted(Path("ace_ext").glob("*.h")))],
            include_dirs=["ace_ext"],
            extra_compile_args=[
                "-O3",
                "-std=c11",
                "-ffp-contract=off",  # the results are the same on every machine
                "-fno-math-errno",
                "-pthread",
                "-Wno-psabi",
            ],
            extra_link_args=["-pthread"],
        )
    ]
)
