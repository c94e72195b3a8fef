"""The arguments of `retina-export`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from retinagan.export.options import MEANT_FOR
from retinagan.runtime import __version__
from retinagan.runtime.console.command import CommandParser

NAME = "retina-export"
_DESCRIPTION = """\
Turn a trained model into files for devices, each with the proof that it still
segments the same vessels."""
_EPILOG = """\
examples:
  retina-export runs/first/model.pt --out exported
  retina-export runs/first/model.pt --out exported --precision fp32 fp16 int8 \\
      --calibrate DRIVE --verify DRIVE
  retina-export retina-gan.onnx --out . --engine tensorrt      on the device itself
  retina-export --check exported/retina-gan-int8.onnx --max-drop 0.003
  retina-export retina-gan --triton models              a Triton model repository

exit code: 0 done; 1 a model exceeds its bounds or cannot run on this device;
2 unusable options, input or output; 70 a defect of this program; 130, 143, 129
stopped by Ctrl-C, SIGTERM, SIGHUP, with nothing half-written left.
"""


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments, those of the process by default; raise `OptionError` if they are not enough."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.check is None and (
        arguments.source is None or (arguments.out is None and arguments.triton is None)
    ):
        parser.error(
            "give a checkpoint or an ONNX file and a folder with --out, or a file to inspect with --check"
        )
    return arguments


def _parser() -> CommandParser:
    parser = CommandParser(NAME, _DESCRIPTION, _EPILOG)
    add = parser.add_argument
    add(
        "source",
        nargs="?",
        metavar="CHECKPOINT_OR_ONNX",
        help="checkpoint of retina-train, ONNX file of retina-export, or name of a bundled model",
    )
    add("--out", type=Path, metavar="DIR", help="output folder; created if missing")
    add(
        "--precision",
        nargs="+",
        choices=tuple(MEANT_FOR),
        metavar="P",
        help=f"ONNX files to write: {', '.join(MEANT_FOR)} (default for a checkpoint: fp32)",
    )
    add(
        "--engine",
        choices=("none", "tensorrt", "tensorrt-rtx"),
        help="build an engine too, on the device that will run it (default: none)",
    )
    add(
        "--calibrate",
        type=Path,
        metavar="FOLDER",
        help="fundus images to calibrate INT8 with, or a dataset's folder",
    )
    add(
        "--verify",
        type=Path,
        metavar="FOLDER",
        help="fundus images for the proof, besides the synthetic ones, or a dataset's folder",
    )
    add(
        "--triton",
        type=Path,
        metavar="DIR",
        help="Triton model repository to write an ONNX file or an engine into, with all steps and alone",
    )
    add("--accept-drop", action="store_true", help="write a precision even if it exceeds its bounds")
    add(
        "--batch",
        type=int,
        nargs=3,
        metavar=("MIN", "OPT", "MAX"),
        help="batch sizes of an engine, in patches (default: 1 up to all patches of an image)",
    )
    add("--plan", action="store_true", help="print what would be done, and do nothing")
    add("--version", action="version", version=f"%(prog)s {__version__}")
    _add_changes(parser.add_argument_group("override the checkpoint"))
    _add_check(parser.add_argument_group("inspect a file"))
    return parser


def _add_changes(group: "argparse._ArgumentGroup") -> None:
    add = group.add_argument
    add("--name", help="name of the model, with which its files begin, such as retina-gan")
    add(
        "--threshold",
        type=float,
        metavar="P",
        help="pixels at or above this probability count as vessel, in all maps (default: the source's "
        "threshold and its rule for each map's own)",
    )
    add("--patch", type=int, metavar="SIDE", help="side of a patch in pixels")
    add(
        "--overlap", type=float, metavar="SHARE", help="share of a patch that the next one overlaps, 0 to 0.9"
    )


def _add_check(group: "argparse._ArgumentGroup") -> None:
    add = group.add_argument
    add(
        "--check",
        type=Path,
        metavar="FILE",
        help="describe an exported file: its bounds, and whether it runs on this device",
    )
    add("--max-drop", type=float, metavar="D", help="largest allowed drop of Dice from FP32's")
    add("--min-agreement", type=float, metavar="D", help="least allowed Dice of the map with FP32's")
    add(
        "--max-difference", type=float, metavar="P", help="largest allowed difference from FP32's probability"
    )
