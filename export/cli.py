"""The command `retina-export`: a trained checkpoint in, files that devices run out."""

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from retinagan.export.steps import Steps
from retinagan.runtime import __version__
from retinagan.runtime.errors import EngineError, RetinaGanError

_NEEDED = {"torch": "export", "onnx": "export", "onnxscript": "export", "onnxruntime": "cpu"}
"""What the command cannot do without, and the extra that brings it."""


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run `retina-export`.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process if left out.

    Returns
    -------
    int
        0 if all was exported, 1 if the exported model differs from torch's, 2 for unusable input or output,
        130 if interrupted.
    """
    arguments = _parser().parse_args(argv)
    try:
        _check_installed()
        return _export(arguments)
    except KeyboardInterrupt:
        return _fail("interrupted; nothing was written", 130)
    except RetinaGanError as error:
        return _fail(str(error), 2)
    except OSError as error:
        reason = error.strerror or error
        return _fail(
            f"cannot write to the folder {str(arguments.out)!r} ({reason}); choose another with --out", 2
        )


def _export(arguments: argparse.Namespace) -> int:
    steps = Steps()
    with steps.step("load torch"):  # takes seconds, which --help and --version do without
        from retinagan.export.exporting import ExportOptions, export_checkpoint
        from retinagan.export.parity import ParityError

    options = ExportOptions(
        arguments.name, arguments.threshold, arguments.patch, arguments.overlap, images=arguments.verify
    )
    try:
        artefacts = export_checkpoint(arguments.checkpoint, arguments.out, options, steps)
    except ParityError as error:
        return _fail(str(error), 1)
    steps.table(
        ("file", "precision", "size", "max difference", "sha256"),
        [artefact.row() for artefact in artefacts],
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="retina-export",
        description="Turn a trained checkpoint into an ONNX model with its spec beside it, "
        "compared with torch on image patches before it is given out.",
    )
    add = parser.add_argument
    add("checkpoint", type=Path, metavar="CHECKPOINT", help="checkpoint written by retina-train")
    add("--out", type=Path, required=True, metavar="DIR", help="folder to write to; made if missing")
    add("--name", help="the model's and its file's name (default: the trained system's, such as retina-gan)")
    add("--verify", type=Path, metavar="FOLDER", help="fundus images to compare on (default: a drawn one)")
    add(
        "--threshold",
        type=float,
        metavar="P",
        help="probability from which on a pixel is a vessel (default: the checkpoint's)",
    )
    add(
        "--patch",
        type=int,
        metavar="SIDE",
        help="side in pixels of the patches that the runtime cuts (default: the checkpoint's)",
    )
    add(
        "--overlap",
        type=float,
        metavar="SHARE",
        help="share of a patch's side in common with the next, 0 to 0.9 (default: the checkpoint's)",
    )
    add("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def _check_installed() -> None:
    """Find out before the work, not after it, that a package is missing."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        extras = ",".join(sorted({_NEEDED[name] for name in missing}))
        raise EngineError(
            f"the export needs {', '.join(missing)}, which is not installed: "
            f'type  pip install "retinagan[{extras}]"'
        )


def _fail(message: str, code: int) -> int:
    print(f"retina-export: {message}", file=sys.stderr)
    return code
