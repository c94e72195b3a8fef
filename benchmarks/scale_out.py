"""Measure `retina-run --cluster`: images per second by the number of workers, and the cost over a plain run.

    python benchmarks/scale_out.py IMAGES --workers 1 2 4          a cluster of this machine, for the time
    python benchmarks/scale_out.py IMAGES --repeat 3               plain run and one worker, thrice in turn
    python benchmarks/scale_out.py IMAGES --workers 16 64 --cluster auto --out s3://clinic/benchmark
    python benchmarks/scale_out.py --driver 1000000                what the driver keeps of as many images

A rate is taken between the first and the last image that is done, so that it does not depend on how many
images there are; what comes before is the start. The plain run has as many threads as one worker has CPUs.
On one machine the workers share its cores: there the overhead of one worker says what Ray costs, that of
several what the cores do to each other. Run it where nothing else runs, on 200 images a worker or more. With
`--repeat` the medians of several runs are printed, which are taken in turn.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline import cpu_name

OVERHEAD_LIMIT = 10.0  # per cent


def main() -> None:
    options = parsed()
    if options.driver is not None:
        report_driver(options.driver)
        return
    with tempfile.TemporaryDirectory(prefix="retina-scale-out-") as temporary:
        out = options.out or temporary
        cpus = max(options.workers) * options.threads
        address, stop = (options.cluster, None) if options.cluster else started(cpus)
        try:
            runs: dict[int, list[dict[str, float]]] = {count: [] for count in (0, *options.workers)}
            for _ in range(options.repeat):
                runs[0].append(timed(options, f"{out}/plain", []))
                for count in options.workers:
                    cluster = ["--cluster", address, "--workers", str(count)]
                    runs[count].append(timed(options, f"{out}/workers-{count}", cluster))
        finally:
            if stop is not None:
                stop()
    report({count: medians(several) for count, several in runs.items()}, options.threads)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").splitlines()[0], formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("images", nargs="?", help="folder or URL")
    add("--workers", type=int, nargs="+", default=[1], help="numbers of workers (default: 1)")
    add("--threads", type=int, default=1, help="CPUs of a worker (default: 1)")
    add("--repeat", type=int, default=1, metavar="N", help="runs of each kind (default: 1)")
    add("--cluster", metavar="ADDRESS", help="default: a cluster of this machine, started for the time")
    add("--out", metavar="DIR", help="folder or URL that all nodes see (default: a temporary folder)")
    add("--driver", type=int, metavar="N", help="only the memory that the driver needs for N images")
    options, options.more = parser.parse_known_args()
    if options.images is None and options.driver is None:
        parser.error("give a folder of images, or --driver N")
    return options


def started(cpus: int) -> tuple[str, Any]:
    """Start a cluster of one node; return its address and what stops it."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": cpus, "include_dashboard": False})
    return cluster.address, cluster.shutdown


def timed(options: argparse.Namespace, out: str, more: list[str]) -> dict[str, float]:
    """Do a run, and return its images, images per second, seconds of start, and bytes of a row."""
    command = [sys.executable, "-m", "retinagan.runtime.batch.cli", options.images, "--out", out]
    before = time.time()
    done = subprocess.run(
        [*command, "--threads", str(options.threads), "--overwrite", "--quiet", *options.more, *more],
        check=False,
    )
    if done.returncode not in (0, 1):
        raise SystemExit(done.returncode)
    content = read(f"{out}/run.csv")
    rows = list(csv.DictReader(io.StringIO(content.decode(errors="surrogateescape"))))
    ends = sorted(datetime.fromisoformat(row["finished"].replace("Z", "+00:00")).timestamp() for row in rows)
    if len(ends) < 3:
        raise SystemExit("give a folder with more images")
    return {
        "images": len(ends),
        "rate": (len(ends) - 1) / (ends[-1] - ends[0]),
        "start": ends[0] - before,
        "row": len(content) / len(ends),
    }


def medians(runs: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each value of several runs."""
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def read(path: str) -> bytes:
    """Return the content of a file or an object."""
    from retinagan.runtime.storage.address import is_url
    from retinagan.runtime.storage.store import store_of

    return store_of(path).read(path) if is_url(path) else Path(path).read_bytes()


def report(runs: dict[int, dict[str, float]], threads: int) -> None:
    """Print a row for each number of workers."""
    plain = runs[0]["rate"]
    images = f"{runs[0]['images']:.0f} images"
    print(f"{cpu_name()}, {os.cpu_count()} cores; {images}; {threads} threads a worker\n")
    print("| workers | images/s | overhead | start |\n| --- | --- | --- | --- |")
    for workers, run in runs.items():
        overhead = 100 * (1 - run["rate"] / (plain * workers)) if workers else 0.0
        share = f"{overhead:.1f} %" if workers else ""
        print(f"| {workers or 'plain run'} | {run['rate']:.3f} | {share} | {run['start']:.1f} s |")
        if workers == 1 and overhead > OVERHEAD_LIMIT:
            print(f"one worker costs more than {OVERHEAD_LIMIT:g} %", file=sys.stderr)
    print(f"\na row of run.csv: {runs[0]['row']:.0f} bytes")


def report_driver(images: int) -> None:
    """Print the memory and the time that listing, naming and resuming take for images that are not there."""
    found = json.loads(
        subprocess.run(
            [sys.executable, "-c", f"import scale_out; scale_out.drive({images})"],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        ).stdout
    )
    each = f"{found['bytes'] / images:.0f} bytes of memory each"
    print(f"{images} images: {each}, {found['seconds']:.0f} s to resume")


def drive(images: int) -> None:
    """Be a driver that finds a run of so many images done; print what that took as JSON."""
    from retinagan.runtime.batch.inputs import Input
    from retinagan.runtime.batch.jobs import jobs_to_do
    from retinagan.runtime.batch.outputs import OutputFolder
    from retinagan.runtime.batch.report import Report
    from retinagan.runtime.batch.row import DONE, Row
    from retinagan.runtime.batch.settings import Settings, Stamp

    settings = Settings("engine", "model", "ab" * 32, 0.5, 0.25, "0", "0123456789abcdef")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    names = [f"clinic-{number // 1000:05}/{number:08}.jpg" for number in range(images)]
    inputs = [Input(f"s3://scans/{name}", name, None, ("2000000", "1700000000.0")) for name in names]
    stamp = Stamp("2000000", "1700000000.0", settings.model_sha256, settings.digest)
    with tempfile.TemporaryDirectory() as folder:
        with OutputFolder(folder) as out, Report(out, settings) as report:
            for name in names:
                report.append(Row(name, DONE, "", name.removesuffix(".jpg"), stamp))
        del report
        start = time.monotonic()
        with OutputFolder(folder) as out, Report(out, settings) as report:
            jobs_to_do(inputs, report, out, ("vessels",))
        seconds = time.monotonic() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"bytes": 1024 * (peak - before), "seconds": seconds}))


if __name__ == "__main__":
    main()
