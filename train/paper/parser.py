"""The options of `retina-reproduce`, and those that it passes to `retina-train`."""

from __future__ import annotations

import argparse

from retinagan.runtime import __version__
from retinagan.runtime.console.command import CommandParser
from retinagan.train.loop import parser as train_parser

NAME = "retina-reproduce"
ITERATIONS = 2000

EPILOG = """\
All other options, such as --seed, --widths and --threads, are passed to retina-train for every system. Each
system has a folder in --out, such as gan-ace. A trained system is not trained again; an interrupted training
continues. Figures 7 and 8 show images, and a dataset's images may not be redistributable: those of --data are
written to panels/ in --out, those of --synthetic to the page. To draw some:
examples/synthetic_fundus.py --count 2 --out DIR
"""


def build_parser() -> CommandParser:
    """Return the command's parser; unknown options are passed to `retina-train`."""
    parser = CommandParser(
        NAME,
        "Train the systems of the paper's tables under one budget and compare their scores with the paper's.",
        EPILOG,
        wrap=True,
    )
    add = parser.add_argument
    add(
        "--data",
        required=True,
        metavar="DIR",
        help="DRIVE, or another dataset with folders training/ and test/",
    )
    add("--out", default="runs/reproduction", metavar="DIR", help="folder of the runs (default: %(default)s)")
    add("--page", metavar="DIR", help="folder for results.md and its images/ (default: --out)")
    add("--iterations", type=int, default=ITERATIONS, metavar="N",
        help="training budget of each system, in steps of one image (default: %(default)s)")  # fmt: skip
    add("--synthetic", metavar="DIR", help="dataset of synthetic images for figures 7 and 8 of the page")
    add("--no-training", action="store_true", help="score the trained systems and leave out the others")
    add("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def parse(argv: list[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """Parse this command's options, and give those that are for `retina-train`."""
    parser = build_parser()
    arguments, more = parser.parse_known_args(argv)
    training = train_parser.build_parser(parser.prog)
    unknown = training.parse_known_args(["--data", arguments.data, *more])[1]
    if unknown:
        parser.error(f"unknown to this command and to retina-train: {' '.join(unknown)}")
    return arguments, more
