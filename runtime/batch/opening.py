"""The options that say how to segment and what to write, and what they open; `retina-node` has them, too."""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, NamedTuple

from retinagan.runtime.batch.pictures import COLOURED, KINDS, OVERLAY_COLOURS, OVERLAY_FORMATS
from retinagan.runtime.errors import OptionError
from retinagan.runtime.model_arguments import add_model_arguments, open_segmenter
from retinagan.runtime.storage.address import is_url, scheme_of

if TYPE_CHECKING:
    from retinagan.runtime.batch.batch import Batch
    from retinagan.runtime.batch.cluster.cluster_batch import ClusterBatch
    from retinagan.runtime.batch.measuring import MeasuresTable, OldMeasures
    from retinagan.runtime.batch.outputs import OutputFolder
    from retinagan.runtime.batch.page.page import OldPage, Page
    from retinagan.runtime.batch.report import Report


class Workplace(NamedTuple):
    """What segments, where the results go, and what records them; all opened."""

    batch: Batch | ClusterBatch
    folder: OutputFolder
    report: Report


def add_shared_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `opened` and `kinds_to_save`.

    `opened` also reads "out", "overwrite", "shard", "measure",
    "every_measure", "report", "report_names" and "quiet".
    """
    add = parser.add_argument
    add(
        "--save",
        nargs="+",
        action="extend",
        default=[],
        metavar="KIND",
        help="what to write besides <name>_vessels.png (0 and 255): probability (16-bit PNG), overlay, panel "
        "(photograph, equalized, probability and overlay side by side), segments (measures of each piece "
        "of a vessel, CSV); of DICOM images dicom-seg, dicom-probability, dicom-overlay, dicom-sr",
    )
    add(
        "--overlay-format",
        choices=tuple(OVERLAY_FORMATS),
        default=next(iter(OVERLAY_FORMATS)),
        help="format of overlays and panels (default: %(default)s; png is exact and takes 4 times the space)",
    )
    add(
        "--overlay-colour",
        choices=OVERLAY_COLOURS,
        default=OVERLAY_COLOURS[0],
        help="what overlays are coloured by: vessels (one colour), the probability or the calibre of each "
        "pixel's vessel (default: %(default)s)",
    )
    add_model_arguments(parser)
    add(
        "--frames",
        choices=("first", "all"),
        default="first",
        help="which images to segment of a file that holds several (default: %(default)s, with a warning)",
    )


def kinds_to_save(
    values: Sequence[str], parser: argparse.ArgumentParser
) -> tuple[tuple[str, ...], list[str]]:
    """Separate the kinds of picture after ``--save`` from inputs that follow them."""
    kinds, inputs = {"vessels"}, []
    for value in values:
        if set(value.split(",")) <= set(KINDS):
            kinds.update(value.split(","))
        elif os.path.lexists(value) or scheme_of(value) or any(sign in value for sign in "*?["):
            inputs.append(value)
        else:
            parser.error(f"argument --save: got {value!r}; expected {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in kinds), inputs


def measures_of(folder: OutputFolder, options: argparse.Namespace) -> MeasuresTable | OldMeasures:
    """Return the table of measures that is asked for, or what keeps an older one true."""
    from retinagan.runtime.batch.measuring import MeasuresTable, OldMeasures

    if not options.measure:
        return OldMeasures(folder)
    return MeasuresTable(folder, every_measure=options.every_measure, fresh=options.overwrite)


def measures_wanted(options: argparse.Namespace) -> bool:
    """Whether anything is to be measured."""
    return bool(options.measure or "segments" in options.kinds)


def check_options(options: argparse.Namespace) -> None:
    """Refuse what cannot be written, before the work.

    Raises
    ------
    OptionError
        If options contradict each other, or a kind of result cannot be written on this machine.
    """
    from retinagan.runtime.batch.measuring import require_measuring
    from retinagan.runtime.batch.objects import check_objects
    from retinagan.runtime.batch.panel import require_letters

    check_objects(options.kinds, options.overlay_format)
    if "panel" in options.kinds:
        require_letters()
    if options.overlay_colour != OVERLAY_COLOURS[0] and not {*COLOURED} & {*options.kinds}:
        raise OptionError(
            f"--overlay-colour {options.overlay_colour}: no overlay is written; add --save overlay or panel"
        )
    if measures_wanted(options):
        require_measuring("--measure" if options.measure else "--save segments")
    if options.report_names is not None and not options.report:
        raise OptionError("--report-names needs --report")
    if options.report_names == "hash" and options.shard is not None:
        raise OptionError("--report-names hash cannot be combined with --shard")


@contextmanager
def opened(options: argparse.Namespace, name: str) -> Iterator[Workplace]:
    """Open the model, the output folder and its report; `name` is the command's, for warnings."""
    from retinagan.runtime.batch.batch import Batch
    from retinagan.runtime.batch.outputs import OutputFolder
    from retinagan.runtime.batch.report import Report
    from retinagan.runtime.batch.settings import Settings

    check_options(options)
    with (
        open_segmenter(name, options, quiet=options.quiet) as segmenter,
        OutputFolder(
            options.out,
            overwrite=options.overwrite,
            overlay_format=options.overlay_format,
            shard=options.shard,
        ) as folder,
        Report(
            folder,
            Settings.of(
                segmenter.spec,
                segmenter.engine,
                options.field_of_view,
                options.overlay_colour,
                measures=measures_wanted(options),
            ),
            fresh=options.overwrite,
        ) as report,
        measures_of(folder, options) as table,
        page_of(folder, report, options) as page,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # decoders warn about files that they can read
        steps = segmenter.frame_steps(noun="image")
        batch = Batch(steps, folder, report.settings, options.kinds, page, table)
        yield Workplace(batch, folder, report)


def page_of(
    folder: OutputFolder, report: Report, options: argparse.Namespace
) -> AbstractContextManager[Page | OldPage | None]:
    """Return the page that is asked for, or what keeps an older one true; None in a store, which has none."""
    from retinagan.runtime.batch.page.page import OldPage, Page

    if options.report:
        return Page(folder, report, options.report_names or "file")
    return nullcontext() if is_url(folder.path) else OldPage(folder)
