"""The Cython extension; all else stands in pyproject.toml."""

from glob import glob

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "retinagan.ace_ext._ace",
            sources=["ace_ext/_ace.pyx", "ace_ext/ace.c", "ace_ext/ace_kernel.c", "ace_ext/ace_direct.c"],
            depends=["ace_ext/_ace.pxd", *glob("ace_ext/*.h")],
            include_dirs=["ace_ext"],
            # No contraction: the results are the same on every machine.
            extra_compile_args=["-O3", "-std=c11", "-ffp-contract=off", "-fno-math-errno", "-pthread", "-Wno-psabi"],
            extra_link_args=["-pthread"],
        )
    ]
)
