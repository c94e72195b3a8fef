"""Measure `retina-run` on this computer's CPU: images a second, the engine's share, peak memory.

    python benchmarks/pipeline.py                       DRIVE's test images, from RETINAGAN_DRIVE
    python benchmarks/pipeline.py --data HRF --save overlay         an image folder of RETINAGAN_HRF
    python benchmarks/pipeline.py --images scans/ --threads 4
    python benchmarks/pipeline.py --model retina-gan retina-gan-small       both in turn

Each run is a process of its own. After one warm-up image it does for each image what `retina-run` does: read,
segment, write ``_vessels.png`` and the outputs of --save. The table shows medians over the runs, and each
model's speed-up over the first. CPU time is per image, summed over all threads: other programs on the
computer change it little.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from retinagan.runtime.console.wording import counted
from retinagan.runtime.errors import RetinaGanError
from retinagan.runtime.model.bundled import DEFAULT_MODEL

DATASETS = {"DRIVE": "test/images", "CHASE_DB1": ".", "HRF": "images", "FIVES": "images"}
"""Where the images of a dataset lie in the folder that ``RETINAGAN_<name>`` names."""


def measure(images: str, model: str, options: argparse.Namespace) -> dict[str, object]:
    """Do all images once; give what the table needs."""
    import cv2

    from retinagan.runtime.batch.batch import Batch
    from retinagan.runtime.batch.inputs import find_inputs
    from retinagan.runtime.batch.jobs import jobs_to_do
    from retinagan.runtime.batch.outputs import OutputFolder
    from retinagan.runtime.batch.page.page import OldPage, Page
    from retinagan.runtime.batch.report import Report
    from retinagan.runtime.batch.row import STAGES
    from retinagan.runtime.batch.settings import Settings
    from retinagan.runtime.memory import return_large_arrays
    from retinagan.runtime.segmenter import Segmenter

    return_large_arrays()
    threads = options.threads
    cv2.setNumThreads(threads)
    kinds = list(dict.fromkeys(["vessels", *options.save]))
    found = find_inputs([images])
    with (
        tempfile.TemporaryDirectory() as out,
        Segmenter(model, device="cpu", threads=threads, field_of_view=options.field_of_view) as segmenter,
        OutputFolder(out, overlay_format=options.overlay_format) as folder,
        Report(folder, Settings.of(segmenter.spec, segmenter.engine, options.field_of_view)) as report,
        Page(folder, report) if options.report else OldPage(folder) as page,
    ):
        jobs = jobs_to_do(found.inputs, report, folder, kinds, page)[: options.first]
        batch = Batch(segmenter.frame_steps(noun="image"), folder, report.settings, kinds, page)
        list(batch.run(jobs[:1]))
        start, start_cpu = time.perf_counter(), time.process_time()
        rows = list(batch.run(jobs))
        wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    failed = [row.path for row in rows if row.status != "done"]
    if failed:
        raise SystemExit(f"not timed, because these images failed: {', '.join(failed)}")
    stages = {stage: statistics.median(row.seconds[stage] for row in rows) for stage in STAGES}
    return {
        "images": len(rows),
        "size": " and ".join(sorted({f"{row.width}x{row.height}" for row in rows})),
        "rate": len(rows) / wall,
        "cpu": cpu / len(rows),
        "engine share": sum(row.seconds["infer"] for row in rows) / wall,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "stages": stages,
        "engine": report.settings.engine,
        "model": report.settings.model,
    }


def cpu_name() -> str:
    """Give the processor's name as the system has it."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown CPU"


def table(runs: list[list[dict]], threads: int) -> str:
    """Give the medians of each model's runs as Markdown; all models did the same images, equally often."""
    first = runs[0][0]
    stages = list(first["stages"])
    rates = [statistics.median(run["rate"] for run in model_runs) for model_runs in runs]
    lines = [
        f"{cpu_name()}, {counted(threads, 'thread')}; {counted(first['images'], 'image')} of "
        f"{first['size']}; medians of {counted(len(runs[0]), 'run')}.",
        "",
        "| model | engine | images/s | speed-up | engine's share of the wall time | CPU time | peak memory |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for model_runs, rate in zip(runs, rates, strict=True):
        share = statistics.median(run["engine share"] for run in model_runs)
        memory, cpu = (statistics.median(run[name] for run in model_runs) for name in ("memory", "cpu"))
        lines.append(
            f"| {model_runs[0]['model']} | {model_runs[0]['engine']} | {rate:.2f} | {rate / rates[0]:.2f} | "
            f"{share:.0%} | {cpu:.2f} s | {memory:.0f} MiB |"
        )
    lines += [
        "",
        "Milliseconds an image (read, segment and write overlap):",
        "",
        f"| model | {' | '.join(stages)} |",
        f"| --- |{' ---: |' * len(stages)}",
    ]
    for model_runs in runs:
        cells = (statistics.median(run["stages"][stage] for run in model_runs) * 1000 for stage in stages)
        lines.append(f"| {model_runs[0]['model']} | {' | '.join(f'{cell:.1f}' for cell in cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time retina-run on the CPU.")
    parser.add_argument("--images", help="folder (default: the dataset's)")
    parser.add_argument(
        "--data",
        choices=DATASETS,
        default="DRIVE",
        help="images of the folder RETINAGAN_<name> (default: %(default)s, its test images)",
    )
    parser.add_argument("--first", type=int, metavar="N", help="the first N images alone")
    parser.add_argument("--save", nargs="*", default=[], choices=("probability", "overlay"))
    parser.add_argument("--report", action="store_true", help="also write the pictures of a report")
    parser.add_argument("--overlay-format", choices=("jpeg", "webp", "png"), default="jpeg")
    parser.add_argument("--field-of-view", type=float, metavar="DEGREES")
    parser.add_argument(
        "--model",
        nargs="+",
        default=[DEFAULT_MODEL],
        help="bundled models or ONNX files (default: %(default)s)",
    )
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--single", action="store_true", help="do one run, and print it as JSON")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error(f"--runs {options.runs}: expected 1 or more")
    if options.single and len(options.model) > 1:
        parser.error("--single: name one model")
    variable = f"RETINAGAN_{options.data}"
    if not options.images and variable not in os.environ:
        parser.error(f"name a folder by --images, or {options.data}'s by the environment variable {variable}")
    images = options.images or str(Path(os.environ[variable]) / DATASETS[options.data])
    if options.single:
        try:
            print(json.dumps(measure(images, options.model[0], options)))
        except RetinaGanError as error:
            sys.exit(str(error))
        return
    command = [sys.executable, __file__, "--single", "--images", images, "--threads", str(options.threads)]
    command += ["--save", *options.save, "--overlay-format", options.overlay_format]
    command += ["--report"] if options.report else []
    command += ["--first", str(options.first)] if options.first is not None else []
    command += [] if options.field_of_view is None else ["--field-of-view", str(options.field_of_view)]
    runs: list[list[dict]] = [[] for _ in options.model]
    for _ in range(options.runs):
        for model, of in zip(options.model, runs, strict=True):  # in turn: what slows the computer slows all
            process = subprocess.run(
                [*command, "--model", model], stdout=subprocess.PIPE, text=True, check=False
            )
            if process.returncode:
                sys.exit(process.returncode)
            of.append(json.loads(process.stdout))
    print(table(runs, options.threads))


if __name__ == "__main__":
    main()
