"""`retina-run`: fundus images in, vessel maps and a report out.

Heavy imports (OpenCV, the engine) come after the arguments are parsed, so that ``--help`` and ``--version``
answer at once.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import replace

from retinagan.runtime import __version__
from retinagan.runtime.batch.opening import Workplace, add_shared_options, kinds_to_save, opened
from retinagan.runtime.batch.shard import Shard
from retinagan.runtime.console.command import DONE, CommandParser, complain, run_command
from retinagan.runtime.console.wording import say
from retinagan.runtime.errors import OptionError
from retinagan.runtime.model.about import about
from retinagan.runtime.storage.address import is_url

_NAME = "retina-run"
_SETTLE = 5.0  # seconds
SOME_FAILED = 1

_DESCRIPTION = "Segment the blood vessels of fundus images."
_EPILOG = """\
examples:
  retina-run scan.jpg                           writes out/scan_vessels.png
  retina-run scans/ --out maps --save overlay   all images in scans/ and below
  retina-run 'scans/**/left*.png' --threads 4   a glob, in quotes
  retina-run shared/ --watch                    what arrives, until Ctrl-C
  retina-run scans/ --out maps --shard 3/16     one of 16 parts, for job arrays
  retina-run s3://clinic/scans --out s3://clinic/maps --cluster auto

The output folder mirrors the folders of the images, from the folder that they
have in common. run.csv there has a row for each image. The same command resumes
a run that was stopped and retries images that failed; with another model or
option, all images are segmented again.

The status in run.csv is done, warning (done, but see the columns "warnings" and
"message") or failed.

exit code: 0 all images done, with or without warnings, or --watch ended by a
signal; 1 some failed, or some have warnings and --strict is given: see run.csv;
2 the run could not start or continue; 70 a defect of this program; 130, 143,
129 stopped by Ctrl-C, SIGTERM, SIGHUP.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `retina-run` with the given arguments, by default the process's; return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    return run_command(_NAME, lambda: _run(_parsed(given)))


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = CommandParser(_NAME, _DESCRIPTION, _EPILOG)
    add = parser.add_argument
    add(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="image, folder (with its subfolders) or quoted glob; a path, or a URL such as s3://bucket/scans",
    )
    add("--out", default="out", metavar="DIR", help="output folder or its URL (default: %(default)s)")
    add_shared_options(parser)
    add(
        "--measure",
        action="store_true",
        help="also measure the vessels: length, calibre, tortuosity, junctions, in measures.csv",
    )
    add(
        "--every-measure",
        action="store_true",
        help="measure also what models measure much worse than experts: area, dimension, ends",
    )
    add(
        "--report",
        action="store_true",
        help="also write report.html, a page to look at all maps, and its pictures in report/",
    )
    add(
        "--report-names",
        choices=("file", "hash"),
        help="what the page calls an image: its file name, or digits in its place, which report-names.csv "
        "explains (default: file)",
    )
    add(
        "--shard",
        metavar="I/N",
        help="do only part I of N, from 1; all parts have one --out, each its rows in the folder rows there",
    )
    add(
        "--cluster",
        metavar="ADDRESS",
        help="segment on a Ray cluster: auto for the one that this machine belongs to, or HOST:PORT",
    )
    add(
        "--workers",
        type=int,
        metavar="N",
        help="with --cluster, how many images to segment at once, each by --threads CPUs, there 1 "
        "unless given (default: as many as there is room for)",
    )
    add(
        "--worker-gpus",
        type=float,
        metavar="SHARE",
        help="with --cluster, the share of a GPU that each worker has, such as 0.25, or GPUs (default: none)",
    )
    add(
        "--overwrite",
        action="store_true",
        help="segment all images again, and replace files of other programs",
    )
    add("--strict", action="store_true", help="also exit with 1 if any image has a warning")
    add(
        "--json",
        action="store_true",
        help="print a line of JSON for each image on stdout, and all other text on stderr",
    )
    add(
        "--watch",
        action="store_true",
        help="keep running, and segment each image that arrives in the folders INPUT when it is whole",
    )
    add(
        "--settle",
        type=float,
        metavar="SECONDS",
        help="with --watch, how long a file must not have changed to be whole (default: 5)",
    )
    add("--quiet", action="store_true", help="print only fatal errors")
    add(
        "--version",
        action="store_true",
        help="print the version; with --model also what the model learned from, and its terms of use",
    )
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    options = parser.parse_intermixed_args(arguments[:end])
    options.kinds, after_save = kinds_to_save(options.save, parser)
    options.shard = None if options.shard is None else Shard.parse(options.shard)
    options.measure |= options.every_measure
    options.inputs += [*after_save, *arguments[end + 1 :]]
    if not options.inputs and not options.version:
        parser.error("give an image, a folder or a glob")
    for option in ("watch", "report"):
        if getattr(options, option) and is_url(options.out):
            parser.error(f"--{option} needs a folder of this machine for --out; got {options.out!r}")
    if options.watch and any(map(is_url, options.inputs)):
        parser.error("--watch needs folders of this machine; a store does not say when an object is whole")
    if not options.watch and options.settle is not None:
        parser.error("--settle needs --watch")
    _check_cluster(options, parser)
    for option in ("overwrite", "strict", "shard"):
        if options.watch and getattr(options, option):
            parser.error(f"--{option} cannot be combined with --watch")
    return options


def _check_cluster(options: argparse.Namespace, parser: CommandParser) -> None:
    if options.cluster is None:
        for option in ("workers", "worker_gpus"):
            if getattr(options, option) is not None:
                parser.error(f"--{option.replace('_', '-')} needs --cluster")
        return
    for option in ("watch", "report", "shard", "measure"):
        if getattr(options, option):
            parser.error(f"--{option} cannot be combined with --cluster")
    for option, least in (("workers", 1), ("worker_gpus", 0.0), ("threads", 1)):
        value = getattr(options, option)
        if value is not None and not (least <= value < math.inf):
            parser.error(f"argument --{option.replace('_', '-')}: got {value}; expected {least:g} or more")


def _print_version(model: str | None) -> int:
    say(f"{_NAME} {__version__}", sys.stdout)
    for line in about(model) if model is not None else ():
        say(line, sys.stdout)
    return DONE


def _run(options: argparse.Namespace) -> int:
    if options.version:
        return _print_version(options.model)
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # errors of an image are in its row
    if options.json and sys.stdout is None:
        raise OptionError("--json writes to stdout, which is closed")
    return _watch(options) if options.watch else _segment_once(options)


def _segment_once(options: argparse.Namespace) -> int:
    from retinagan.runtime.batch.again import why_again
    from retinagan.runtime.batch.inputs import every_frame, find_inputs
    from retinagan.runtime.batch.jobs import jobs_to_do
    from retinagan.runtime.batch.json_lines import JsonLines
    from retinagan.runtime.batch.progress import open_progress
    from retinagan.runtime.batch.summary import Tally, summary

    stdout = sys.stdout  # on a cluster it is kept from what Ray prints
    found = find_inputs(options.inputs)
    if options.frames == "all":
        found = replace(found, inputs=every_frame(found.inputs, options.shard))
    with _opening(options) as (batch, folder, report):
        jobs = jobs_to_do(
            found.inputs,
            report,
            folder,
            options.kinds,
            batch.page,
            batch.measures,
            again=options.overwrite,
        )
        for line in () if options.quiet or options.overwrite else why_again(jobs, report):
            complain(_NAME, line)
        if options.shard is not None:
            own = tuple(item for item in found.inputs if options.shard.holds(item.name))
            found = replace(found, inputs=own)
        tally = Tally(len(found.inputs), kept=len(found.inputs) - len(jobs), shard=options.shard)
        progress = open_progress(len(jobs), sys.stderr, quiet=options.quiet)
        lines = JsonLines(stdout, folder, options.kinds, found.inputs) if options.json else None
        page = None if batch.page is None else batch.page.path
        try:
            if lines is not None:
                again = {job.input.name for job in jobs}
                lines.write_kept(report.rows(), again, batch.measures)
            with closing(batch.run(jobs)) as rows:
                for row in rows:
                    cells = report.append(row)
                    tally.count(row)
                    progress.advance(row)
                    if lines is not None:
                        lines.write(cells, row.measures)
        finally:
            progress.close()
            for line in () if options.quiet else summary(tally, found, report, page):
                say(line, sys.stderr if options.json else stdout)
        doubted = options.strict and any(report.is_doubted(item.name) for item in found.inputs)
    return SOME_FAILED if tally.failed or doubted else DONE


def _opening(options: argparse.Namespace) -> AbstractContextManager[Workplace]:
    """Return what opens the model here, or on the nodes of a cluster."""
    if options.cluster is None:
        return opened(options, _NAME)
    try:
        from retinagan.runtime.batch.cluster.opening import opened_on_cluster
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("ray", "pyarrow", "pandas"):
            raise
        raise OptionError(f'--cluster needs {error.name}: pip install "retinagan[ray]"') from None
    return opened_on_cluster(options, _NAME)


def _watch(options: argparse.Namespace) -> int:
    from retinagan.runtime.batch.arrivals import Arrivals
    from retinagan.runtime.batch.inputs import every_frame
    from retinagan.runtime.batch.watch import Watch, WatchOptions

    arrivals = Arrivals(options.inputs, _SETTLE if options.settle is None else options.settle)
    how = WatchOptions(
        options.kinds,
        every_frame if options.frames == "all" else tuple,
        options.quiet,
        sys.stdout if options.json else None,
    )
    with opened(options, _NAME) as place:
        if not options.quiet:
            complain(_NAME, f"watching {', '.join(options.inputs)}; Ctrl-C or SIGTERM ends it")
        Watch(arrivals, place, how).run()
    return DONE


if __name__ == "__main__":
    sys.exit(main())
