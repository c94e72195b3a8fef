"""Measure what a frame costs besides the engine, by stage, on one core; also start-up time and memory.

    python benchmarks/overhead.py                        DRIVE's test images, from RETINAGAN_DRIVE
    python benchmarks/overhead.py --images examples/images --model model.onnx

Stages are timed by the CPU time of their thread: on an idle core it equals wall time, and on a busy computer
it still shows their cost. "alone" is `Segmenter.__call__`; "stream" is the stream of a still camera, which
reuses the retina's mask while the margin is unchanged. Values are medians over all images and rounds.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pipeline import cpu_name

OVERHEAD_LIMIT, ENGINE_SHARE = 12.0, 0.15
START_LIMIT = 1.5
MEMORY_LIMITS = {"frames": 350, "a 4096x4096 frame": 1024}


class EngineTimer:
    """Notes how long the engine itself runs, without what its adapter does: CPU time, and the wall's."""

    def __init__(self, segmenter: Any) -> None:
        self._run = segmenter._adapter._run
        self.cpu: list[float] = []
        self.wall: list[float] = []
        segmenter._adapter._run = self._timed

    def _timed(self, *arrays: Any) -> None:
        cpu, wall = time.thread_time(), time.perf_counter()
        self._run(*arrays)
        self.cpu.append(time.thread_time() - cpu)
        self.wall.append(time.perf_counter() - wall)


def time_stages(images: str, model: str | None, rounds: int) -> dict[str, Any]:
    """Time all stages on one core; milliseconds."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import cv2

    from retinagan.runtime import Segmenter
    from retinagan.runtime.steps import timing

    cv2.setNumThreads(1)
    timing.perf_counter = time.thread_time
    frames = read_frames(images)
    with Segmenter(model, device="cpu", threads=1) as segmenter:
        segmenter.warmup()
        engine = EngineTimer(segmenter)
        alone = [segmenter(frame).seconds for frame in frames * rounds]
        rows = {"alone": beyond_the_engine(alone, engine.cpu)}
        stream, own_runs = [], []
        for frame in frames:
            engine.cpu.clear()
            with segmenter.stream(itertools.repeat(frame, 1 + rounds)) as results:
                stream += [result.seconds for result in results][1:]  # the first looks for the retina
            own_runs += engine.cpu[1:]
        rows["stream"] = beyond_the_engine(stream, own_runs)
        return {
            "rows": rows,
            "engine": 1000 * min(engine.wall),
            "size": "x".join(str(side) for side in frames[0].shape[1::-1]),
            "setting": f"{segmenter.engine}; model {segmenter.spec.name}; {len(frames)} images",
        }


def beyond_the_engine(seconds: list[Any], own_runs: list[float]) -> dict[str, float]:
    """Give the stages' medians in milliseconds, less the engine's own runs, and their sum."""
    rows = [
        {"adapter" if stage == "infer" else stage: value for stage, value in frame.items()}
        | {"adapter": frame["infer"] - own_run}
        for frame, own_run in zip(seconds, own_runs, strict=True)
    ]
    medians = {stage: 1000 * statistics.median(row[stage] for row in rows) for stage in rows[0]}
    return {**medians, "sum": sum(medians.values())}


def read_frames(images: str) -> list[Any]:
    """Read all images of a folder as RGB."""
    from retinagan.runtime.batch.inputs import find_inputs
    from retinagan.runtime.images.reading import read_image

    return [read_image(found.path).pixels for found in find_inputs([images]).inputs]


def peak_memory() -> float:
    """Give this process's largest resident memory in MiB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise SystemExit("this system does not tell the largest resident memory: /proc/self/status has no VmHWM")


def start(images: str, model: str | None) -> dict[str, float]:
    """Time ``import retinagan.runtime`` and the first result, in a process that has done nothing before."""
    begin = time.perf_counter()
    from retinagan.runtime import Segmenter

    imported = time.perf_counter()
    from retinagan.runtime.images.reading import read_image

    frame = read_image(sorted(path for path in Path(images).iterdir() if path.is_file())[0]).pixels
    with Segmenter(model, device="cpu") as segmenter:
        segmenter(frame)
    return {"import": imported - begin, "start": time.perf_counter() - begin}


def fill_memory(images: str, model: str | None, large: bool) -> dict[str, float]:
    """Segment frames, all of a folder or one of 4096x4096; give the largest resident memory in MiB."""
    import cv2

    from retinagan.runtime import Segmenter

    frames = [cv2.resize(read_frames(images)[0], (4096, 4096))] if large else read_frames(images)
    with Segmenter(model, device="cpu") as segmenter:
        for frame in frames:
            segmenter(frame)
    return {"memory": peak_memory()}


def in_a_process(what: str, options: argparse.Namespace) -> dict[str, Any]:
    """Do one of the measurements in a fresh process."""
    command = [sys.executable, __file__, "--only", what, "--images", options.images]
    command += ["--rounds", str(options.rounds)]
    command += ["--model", options.model] if options.model else []
    finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(finished.stdout)
    return result


def report(options: argparse.Namespace) -> str:
    """Measure everything; give the tables as Markdown."""
    times = in_a_process("stages", options)
    names = [*times["rows"]["alone"]]
    limit = max(OVERHEAD_LIMIT, ENGINE_SHARE * times["engine"])
    starts = [in_a_process("start", options) for _ in range(3)]
    memory = [in_a_process(what, options)["memory"] for what in ("memory", "large")]
    lines = [
        f"{cpu_name()}, one core; {times['setting']} of {times['size']}.",
        "",
        f"| ms of CPU | {' | '.join(names)} |",
        "| --- |" + " ---: |" * len(names),
        *(
            f"| {name} | {' | '.join(f'{row[stage]:.1f}' for stage in names)} |"
            for name, row in times["rows"].items()
        ),
        "",
        f"The engine's own run takes {times['engine']:.0f} ms; the sum may be {limit:.0f} ms.",
        "",
        "| | measured | at most |",
        "| --- | ---: | ---: |",
        f"| `import retinagan.runtime` | {min(row['import'] for row in starts):.2f} s | |",
        f"| import and first result | {min(row['start'] for row in starts):.2f} s | {START_LIMIT} s |",
    ]
    for (what, most), measured in zip(MEMORY_LIMITS.items(), memory, strict=True):
        lines.append(f"| peak resident memory, {what} | {measured:.0f} MiB | {most} MiB |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what the runtime costs besides the engine.")
    parser.add_argument("--images", help="folder (default: the test images in the folder RETINAGAN_DRIVE)")
    parser.add_argument("--model", help="bundled model or ONNX file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("stages", "start", "memory", "large"), help="print it as JSON")
    options = parser.parse_args()
    if options.images is None:
        if "RETINAGAN_DRIVE" not in os.environ:
            parser.error("give a folder with --images, or set the environment variable RETINAGAN_DRIVE")
        options.images = str(Path(os.environ["RETINAGAN_DRIVE"]) / "test" / "images")
    if options.only is None:
        print(report(options))
    elif options.only == "stages":
        print(json.dumps(time_stages(options.images, options.model, options.rounds)))
    elif options.only == "start":
        print(json.dumps(start(options.images, options.model)))
    else:
        print(json.dumps(fill_memory(options.images, options.model, options.only == "large")))


if __name__ == "__main__":
    main()
