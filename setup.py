"""The Cython extension, and the text that a package index shows. All else is in pyproject.toml."""

import os
import runpy
from pathlib import Path

from setuptools import Extension, setup

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
    ],
)
