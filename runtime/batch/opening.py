"""The options that say how to segment and what to write, and what they open; `retina-node` has them, too."""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from retinagan.runtime.batch.pictures import KINDS, OVERLAY_FORMATS
from retinagan.runtime.console.command import complain
from retinagan.runtime.model.bundled import DEFAULT_MODEL, bundled_models

if TYPE_CHECKING:
    from retinagan.runtime.batch.batch import Batch
    from retinagan.runtime.batch.outputs import OutputFolder
    from retinagan.runtime.batch.report import Report
    from retinagan.runtime.segmenter import Segmenter


class Workplace(NamedTuple):
    """What segments, where the results go, and what records them; all opened."""

    batch: Batch
    folder: OutputFolder
    report: Report


def add_shared_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `opened` and `kinds_to_save`.

    `opened` also reads "out", "overwrite", "shard" and "quiet".
    """
    add = parser.add_argument
    add(
        "--save",
        nargs="+",
        action="extend",
        default=[],
        metavar="KIND",
        help="what to write besides <name>_vessels.png (0 and 255): probability (16-bit PNG), overlay",
    )
    add(
        "--overlay-format",
        choices=tuple(OVERLAY_FORMATS),
        default=next(iter(OVERLAY_FORMATS)),
        help="format of <name>_overlay (default: %(default)s; png is exact and takes 4 times the space)",
    )
    names = ", ".join(bundled_models())
    add(
        "--model",
        metavar="MODEL",
        help=f"bundled model ({names}), ONNX file or engine (default: {DEFAULT_MODEL})",
    )
    add(
        "--device",
        default="auto",
        help="where to run: cpu, cuda, or cuda:1 for the second GPU (default: %(default)s, "
        "the best available)",
    )
    add(
        "--engine",
        default="auto",
        help="onnxruntime, openvino or tensorrt (default: %(default)s, the fastest available)",
    )
    add(
        "--frames",
        choices=("first", "all"),
        default="first",
        help="which images to segment of a file that holds several (default: %(default)s, with a warning)",
    )
    add(
        "--field-of-view",
        type=float,
        metavar="DEGREES",
        help="the camera's angle, 10 to 220, which sets the scale at which the network sees the vessels "
        "(default: that of the image's file, otherwise what the model assumes)",
    )
    add("--threshold", type=float, metavar="P", help="pixels at or above this probability count as vessel")
    add("--overlap", type=float, metavar="SHARE", help="share of a patch that the next one overlaps")
    add("--threads", type=int, metavar="N", help="CPU threads (default: all cores)")


def kinds_to_save(
    values: Sequence[str], parser: argparse.ArgumentParser
) -> tuple[tuple[str, ...], list[str]]:
    """Separate the kinds of picture after ``--save`` from inputs that follow them."""
    kinds, inputs = {"vessels"}, []
    for value in values:
        if set(value.split(",")) <= set(KINDS):
            kinds.update(value.split(","))
        elif os.path.lexists(value) or any(sign in value for sign in "*?["):
            inputs.append(value)
        else:
            parser.error(f"argument --save: got {value!r}; expected {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in kinds), inputs


@contextmanager
def opened(options: argparse.Namespace, name: str) -> Iterator[Workplace]:
    """Open the model, the output folder and its report; `name` is the command's, for warnings."""
    from retinagan.runtime.batch.batch import Batch
    from retinagan.runtime.batch.outputs import OutputFolder
    from retinagan.runtime.batch.report import Report, Settings

    with (
        _open_segmenter(options, name) as segmenter,
        OutputFolder(
            options.out,
            overwrite=options.overwrite,
            overlay_format=options.overlay_format,
            shard=options.shard,
        ) as folder,
        Report(
            folder,
            Settings.of(segmenter.spec, segmenter.engine, options.field_of_view),
            fresh=options.overwrite,
        ) as report,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # decoders warn about files that they can read
        steps = segmenter.frame_steps(noun="image")
        yield Workplace(Batch(steps, folder, report.settings, options.kinds), folder, report)


def _open_segmenter(options: argparse.Namespace, name: str) -> Segmenter:
    """Open the model, and print each of its warnings in one line."""
    import cv2

    from retinagan.runtime.segmenter import Segmenter

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        segmenter = Segmenter(
            options.model,
            device=options.device,
            engine=options.engine,
            threads=options.threads,
            threshold=options.threshold,
            overlap=options.overlap,
            field_of_view=options.field_of_view,
        )
    if options.threads is not None:
        cv2.setNumThreads(options.threads)
    for warning in caught:
        if issubclass(warning.category, (UserWarning, RuntimeWarning)) and not options.quiet:
            complain(name, f"warning: {warning.message}")
    fixed = segmenter.spec.preprocessing.working_size
    if options.field_of_view is not None and fixed is not None and not options.quiet:
        complain(
            name,
            f"warning: --field-of-view has no effect: model {segmenter.spec.name} has a fixed working size "
            f"of {fixed} pixels",
        )
    return segmenter
