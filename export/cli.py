"""The command `retina-export`: a trained model in, files that devices run out, each with its proof."""

import argparse
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from retinagan.export.options import MEANT_FOR, Changes, ExportOptions
from retinagan.export.plan import Request, choose_engine, device_line, plan_lines, require_possible
from retinagan.export.progress import Steps
from retinagan.runtime import __version__
from retinagan.runtime.errors import ModelError, RetinaGanError
from retinagan.runtime.model.bundled import find_model

if TYPE_CHECKING:
    from retinagan.export.tensorrt.export import EngineOptions

_DESCRIPTION = """\
Turn a trained model into the files that devices run, each with the proof that
it still segments the same vessels."""
_EPILOG = """\
examples:
  retina-export runs/first/model.pt --out exported
  retina-export runs/first/model.pt --out exported --precision fp32 fp16 int8 \\
      --calibrate DRIVE --verify DRIVE
  retina-export retina-gan.onnx --out . --engine tensorrt      on the device itself
  retina-export --check exported/retina-gan-int8.onnx --max-drop 0.003

exit code: 0 done; 1 a model misses its bounds or does not fit this device;
2 unusable input or output; 130 interrupted, nothing half-written is left.
"""


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
        0 if all was done, 1 if a model misses its bounds or does not fit this device, 2 for unusable input
        or output, 130 if interrupted.
    """
    from retinagan.export.proof.agreement import ParityError

    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        with _stopped_alike():
            return _run(arguments, parser)
    except KeyboardInterrupt:
        return _fail("interrupted; nothing half-written is left", 130)
    except ParityError as error:
        return _fail(str(error), 1)
    except RetinaGanError as error:
        return _fail(str(error), 2)
    except OSError as error:
        reason = error.strerror or error
        return _fail(
            f"cannot write to the folder {str(arguments.out)!r} ({reason}); choose another with --out", 2
        )


def _run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    if arguments.check is not None:
        return _check(arguments)
    if arguments.source is None or arguments.out is None:
        parser.error("give a checkpoint or an ONNX file, and a folder with --out; or a file with --check")
    request = _request(arguments)
    engine = _engine_options(request, arguments)
    if arguments.plan:
        _print_lines(plan_lines(request))
        return 0
    require_possible(request)
    steps = Steps()
    built_from = [request.source]
    if request.options is not None:
        built_from = _export(request, request.options, steps)
    if engine is not None:
        _build_engines(built_from, request.out, engine, steps)
    elif request.no_engine:
        steps.line(f"\nNo engine was built here: {request.no_engine}")
        for model in built_from[:1]:
            steps.line(f"On the device, with the files above:  {device_line(model, arguments.batch)}")
    return 0


def _request(arguments: argparse.Namespace) -> Request:
    """Understand what is asked for."""
    name = arguments.source
    source = Path(name) if Path(name).suffix else find_model(name)
    if source.suffix in (".engine", ".plan"):
        raise ModelError(f"{source}: an engine is exported already; look at it with --check")
    engine, no_engine = choose_engine(arguments.engine)
    precisions = arguments.precision
    if precisions is None and source.suffix == ".onnx":
        if engine == "none":
            raise ModelError(
                f"{source}: nothing to do with an ONNX file without --precision or --engine tensorrt"
                + (f" (no engine can be built here: {no_engine})" if no_engine else "")
            )
        _refuse_unused(arguments, source)
        return Request(source, arguments.out, None, engine)
    options = ExportOptions(
        tuple(dict.fromkeys(precisions or ["fp32"])),
        Changes(arguments.name, arguments.threshold, arguments.patch, arguments.overlap),
        arguments.calibrate,
        arguments.verify,
        arguments.accept_drop,
    )
    return Request(source, arguments.out, options, engine, no_engine)


def _export(request: Request, options: ExportOptions, steps: Steps) -> list[Path]:
    """Write the ONNX files; give those that engines are built from."""
    from retinagan.export.precisions.exporting import Artefact, export_models

    artefacts = export_models(request.source, request.out, options, steps)
    steps.table(Artefact.HEADER, [artefact.row() for artefact in artefacts])
    elsewhere = (MEANT_FOR["bf16"], MEANT_FOR["int8-onnxruntime"])
    return [artefact.path for artefact in artefacts if artefact.spec.proof["meant_for"] not in elsewhere]


def _refuse_unused(arguments: argparse.Namespace, source: Path) -> None:
    """Refuse what an engine does not ask for, rather than leave it out in silence."""
    names = ("name", "threshold", "overlap", "calibrate", "verify")
    unused = [f"--{name}" for name in names if getattr(arguments, name) is not None]
    if unused:
        raise ModelError(
            f"{', '.join(unused)}: not for an engine, which takes all from {source.name} and is held to its "
            "proof pack; leave out, or write ONNX files too with --precision"
        )


def _engine_options(request: Request, arguments: argparse.Namespace) -> "EngineOptions | None":
    """Give what is asked of the engine, None for none; what cannot be is found before the work."""
    from retinagan.export.tensorrt.export import EngineOptions

    batch = None if arguments.batch is None else tuple(arguments.batch)
    patch = arguments.patch if request.options is None else None
    options = EngineOptions(
        "tensorrt" if request.engine == "none" else request.engine,
        batch,
        patch,
        accept_drop=arguments.accept_drop,
    )
    return None if request.engine == "none" else options


def _build_engines(models: Sequence[Path], out: Path, options: "EngineOptions", steps: Steps) -> None:
    from retinagan.export.tensorrt.export import export_engine

    for model in models:
        steps.line(str(export_engine(model, out, options, steps)))


def _check(arguments: argparse.Namespace) -> int:
    from retinagan.export.check import check, read_spec
    from retinagan.export.proof.bounds import bounds_for

    bounds = bounds_for(
        read_spec(arguments.check).precision,
        max_difference=arguments.max_difference,
        min_map_dice=arguments.min_agreement,
        max_drop=arguments.max_drop,
    )
    lines, good = check(arguments.check, bounds)
    _print_lines(lines)
    return 0 if good else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="retina-export",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "source",
        nargs="?",
        metavar="CHECKPOINT_OR_ONNX",
        help="checkpoint of retina-train, ONNX file of retina-export, or a bundled model's name",
    )
    add("--out", type=Path, metavar="DIR", help="folder to write to; made if missing")
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
        help="engine to build (default: tensorrt where it and a GPU are found)",
    )
    add("--calibrate", type=Path, metavar="FOLDER", help="fundus images for INT8, or a dataset's folder")
    add(
        "--verify",
        type=Path,
        metavar="FOLDER",
        help="fundus images to prove on besides the synthetic ones, or a dataset's folder",
    )
    add("--accept-drop", action="store_true", help="write a precision although it misses its bounds")
    add(
        "--batch",
        type=int,
        nargs=3,
        metavar=("MIN", "OPT", "MAX"),
        help="patches at once that an engine takes (default: 1 to those of an image)",
    )
    add("--plan", action="store_true", help="say what would be done with what is found, and do nothing")
    add("--version", action="version", version=f"%(prog)s {__version__}")
    _add_changes(parser.add_argument_group("instead of what the checkpoint says"))
    _add_check(parser.add_argument_group("looking at a file"))
    return parser


def _add_changes(group: "argparse._ArgumentGroup") -> None:
    add = group.add_argument
    add("--name", help="the model's name, which its files begin with, such as retina-gan")
    add("--threshold", type=float, metavar="P", help="probability from which on a pixel is a vessel")
    add("--patch", type=int, metavar="SIDE", help="side in pixels of the patches that the runtime cuts")
    add("--overlap", type=float, metavar="SHARE", help="share of a patch in common with the next, 0 to 0.9")


def _add_check(group: "argparse._ArgumentGroup") -> None:
    add = group.add_argument
    add(
        "--check",
        type=Path,
        metavar="FILE",
        help="say what an exported file is, and whether it keeps the bounds and fits this device",
    )
    add("--max-drop", type=float, metavar="D", help="bound: drop of Dice against truth from FP32's")
    add("--min-agreement", type=float, metavar="D", help="bound: Dice of the vessel map with FP32's")
    add("--max-difference", type=float, metavar="P", help="bound: difference of probability from FP32's")


def _print_lines(lines: Sequence[tuple[str, str]]) -> None:
    width = max(len(heading) for heading, _ in lines)
    for heading, text in lines:
        print(f"{heading:{width}}  {text}")


@contextmanager
def _stopped_alike() -> Iterator[None]:
    """Let SIGTERM stop the command as Ctrl-C does, so that it leaves nothing behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _fail(message: str, code: int) -> int:
    print(f"retina-export: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
