"""`retina-export`: turn a trained model into files for devices, each with its proof."""

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from retinagan.export.options import MEANT_FOR, Changes, ExportOptions
from retinagan.export.parser import NAME, parse
from retinagan.export.plan import Request, device_line, plan_lines, require_possible
from retinagan.export.progress import StepLog
from retinagan.runtime.console.command import (
    DONE,
    complain,
    concerns_file_or_disk,
    run_command,
)
from retinagan.runtime.errors import OptionError
from retinagan.runtime.model.bundled import find_model

if TYPE_CHECKING:
    from retinagan.export.tensorrt.export import EngineOptions

_MISSED = 1


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run `retina-export`.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; by default those of the process.

    Returns
    -------
    int
        0 if all is done, 1 if a model exceeds its bounds or cannot run on this device, 2 for unusable
        options, input or output, 70 after a defect, 128 + the signal's number after a signal.
    """
    return run_command(NAME, lambda: _run(argv), interrupted="interrupted; nothing half-written is left")


def _run(argv: Sequence[str] | None) -> int:
    from retinagan.export.proof.agreement import ParityError

    arguments = parse(argv)
    try:
        if arguments.check is not None:
            return _check(arguments)
        if arguments.triton is not None:
            with _output_named(arguments.triton, "--triton"):
                return _write_triton(arguments)
        with _output_named(arguments.out):
            return _make(arguments)
    except ParityError as error:
        complain(NAME, str(error))
        return _MISSED


def _make(arguments: argparse.Namespace) -> int:
    """Export and build what was requested, or print with ``--plan`` what that would be."""
    request = _request(arguments)
    engine = _engine_options(request, arguments)
    if arguments.plan:
        _print_lines(plan_lines(request))
        return DONE
    require_possible(request)
    log = StepLog()
    built_from = [request.source]
    if request.options is not None:
        built_from = _export(request, request.options, log)
    if engine is not None:
        _build_engines(built_from, request.out, engine, log)
    elif arguments.engine is None:
        for model in built_from[:1]:
            log.line(
                "\nTo build a TensorRT engine, copy these files to the device and type there:  "
                + device_line(model, arguments.batch)
            )
    return DONE


@contextmanager
def _output_named(out: Path, option: str = "--out") -> Iterator[None]:
    """Turn an error in writing to the output folder into one that says what to do."""
    try:
        yield
    except OSError as error:
        named = None if error.filename is None else Path(os.fsdecode(error.filename))
        ours = named is None or named == out or out in named.parents or named in out.parents
        if not (ours and concerns_file_or_disk(error)):
            raise
        raise OptionError(
            f"cannot write to the folder {str(out)!r} ({error.strerror}); choose another with {option}"
        ) from error


def _write_triton(arguments: argparse.Namespace) -> int:
    """Write a Triton model repository from a model as it is."""
    from retinagan.export.triton.repository import write_repository

    of_an_export = (
        "out",
        "precision",
        "engine",
        "calibrate",
        "verify",
        "batch",
        "name",
        "threshold",
        "patch",
    )
    unused = [f"--{name}" for name in (*of_an_export, "overlap") if getattr(arguments, name) is not None]
    unused += [f"--{name.replace('_', '-')}" for name in ("accept_drop", "plan") if getattr(arguments, name)]
    if unused:
        raise OptionError(
            f"{', '.join(unused)}: not with --triton, which takes a model as it is: first export it without "
            "--triton, then give the exported file to --triton alone"
        )
    name = arguments.source
    log = StepLog()
    written = write_repository(Path(name) if Path(name).suffix else find_model(name), arguments.triton, log)
    log.line(f"\nTo serve them:  tritonserver --model-repository {written[0].parent}")
    return DONE


def _request(arguments: argparse.Namespace) -> Request:
    """Turn arguments into a request."""
    name = arguments.source
    source = Path(name) if Path(name).suffix else find_model(name)
    if source.suffix in (".engine", ".plan"):
        raise OptionError(f"{source}: this is an engine already; inspect it with --check")
    engine = arguments.engine or "none"
    precisions = arguments.precision
    if precisions is None and source.suffix == ".onnx":
        if engine == "none":
            raise OptionError(
                f"{source}: give --precision or --engine tensorrt to say what to make from an ONNX file"
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
    return Request(source, arguments.out, options, engine)


def _export(request: Request, options: ExportOptions, log: StepLog) -> list[Path]:
    """Write the ONNX files; return those that engines can be built from."""
    from retinagan.export.precisions.exporting import Artefact, export_models

    artefacts = export_models(request.source, request.out, options, log)
    log.table(Artefact.HEADER, [artefact.row() for artefact in artefacts])
    elsewhere = [MEANT_FOR[precision] for precision in ("bf16", "int8-openvino", "int8-onnxruntime")]
    return [artefact.path for artefact in artefacts if artefact.spec.proof["meant_for"] not in elsewhere]


def _refuse_unused(arguments: argparse.Namespace, source: Path) -> None:
    """Reject options that an engine does not use, rather than ignore them silently."""
    names = ("name", "threshold", "overlap", "calibrate", "verify")
    unused = [f"--{name}" for name in names if getattr(arguments, name) is not None]
    if unused:
        raise OptionError(
            f"{', '.join(unused)}: an engine takes this from {source.name} and is proven on its proof pack; "
            "omit it, or write ONNX files too with --precision"
        )


def _engine_options(request: Request, arguments: argparse.Namespace) -> "EngineOptions | None":
    """Return the options of the engine, None for none; reject invalid ones before the work starts."""
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


def _build_engines(models: Sequence[Path], out: Path, options: "EngineOptions", log: StepLog) -> None:
    from retinagan.export.tensorrt.export import export_engine

    for model in models:
        log.line(str(export_engine(model, out, options, log)))


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
    return DONE if good else _MISSED


def _print_lines(lines: Sequence[tuple[str, str]]) -> None:
    width = max(len(heading) for heading, _ in lines)
    for heading, text in lines:
        print(f"{heading:{width}}  {text}")


if __name__ == "__main__":
    raise SystemExit(main())
