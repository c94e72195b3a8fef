"""The options of `retina-eval`."""

from __future__ import annotations

import argparse

from retinagan.runtime import __version__
from retinagan.runtime.console.command import CommandParser
from retinagan.train.data.files import SPLITS, TEST
from retinagan.train.data.given import ASSUMED, KNOWN, named_angle, named_text

BOTH = "both"

EPILOG = """\
Each map is scored in three ways: inside the field of view at native size; over the whole image at native
size, whose black surround counts as correct; and over the whole image resized to 512x512. Compare only scores
of the same kind.
"""


def build_parser() -> CommandParser:
    """Build the command's parser."""
    description = "Score a model or a folder of vessel maps against experts' maps."
    parser = CommandParser("retina-eval", description, EPILOG, wrap=True)
    add = parser.add_argument
    add("source", metavar="MODEL_OR_MAPS", help="an ONNX file, a bundled model's name, a checkpoint (.pt), "
        "or a folder of maps as retina-run --save probability writes them")  # fmt: skip
    add("--data", required=True, nargs="+", metavar="DIR",
        help="dataset folder: DRIVE, CHASE_DB1, STARE, HRF, or images/ with labels/; several give a table "
        "with one row each")  # fmt: skip
    add("--field-of-view", action="append", default=[], type=_angle_choice, metavar="HOW",
        help="known: pass the model each camera's angle, if the dataset has it; assumed: let it assume one, "
        "as for an unknown camera; both: score both ways; NAME=DEGREES: the angle of the dataset folder NAME "
        "(default: known, from its dataset.json or its layout); may be repeated")  # fmt: skip
    add("--test-images", action="append", default=[], type=named_text, metavar="NAME=PATTERNS",
        help="images that test in the dataset folder NAME, as patterns of their file names, such as "
        "HRF=0[1-5]_* (default: the split of its layout); may be repeated")  # fmt: skip
    add("--split", choices=SPLITS, default=TEST, help="images to score (default: %(default)s)")
    add(
        "--threshold",
        metavar="P",
        help="pixels at or above this probability count as vessel; the word training chooses it on each "
        "dataset's training images, the word fixed takes the model's one number for all maps (default: each "
        "map's own by the model's rule, else the model's number, else 0.5)",
    )
    add(
        "--against",
        metavar="MODEL_OR_MAPS",
        help="score this too, at its own thresholds or, with --threshold fixed, at its one, and print the "
        "differences to it, with intervals over the images",
    )
    add(
        "--out",
        metavar="DIR",
        help="folder for scores.csv and scores.json, with a row for each image",
    )
    add(
        "--figures",
        action="store_true",
        help="draw ROC curves, scores by image and panels into --out",
    )
    add("--each", action="store_true", help="print each image's scores too")
    add("--device", help="where the model runs, as for retina-run; of --against, it is always the default")
    add("--engine", help="the engine that runs it, as for retina-run; likewise")
    add("--pixels-per-degree", type=float, metavar="D", help="density at which it sees the vessels "
        "(default: its own); likewise")  # fmt: skip
    add("--threads", type=int, metavar="N", help="CPU threads (default: all)")
    add("--quiet", action="store_true", help="no progress bar")
    add("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def _angle_choice(text: str) -> str | tuple[str, float]:
    if text in (KNOWN, ASSUMED, BOTH):
        return text
    if "=" not in text:
        raise argparse.ArgumentTypeError(
            f"got {text!r}, expected {KNOWN}, {ASSUMED}, {BOTH}, or the angle of a dataset folder, "
            "NAME=DEGREES"
        )
    return named_angle(text)
