"""The Cython extension; all else stands in pyproject.toml."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "retinagan.ace_ext._ace",
            sources=["ace_ext/_ace.pyx", "ace_ext/ace.c"],
            depends=["ace_ext/ace.h", "ace_ext/_ace.pxd"],
            include_dirs=["ace_ext"],
            extra_compile_args=["-O3", "-std=c11", "-ffp-contract=off"],
        )
    ]
)
