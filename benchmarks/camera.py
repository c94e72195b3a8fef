"""Measure rate, latency and time per stage of a stream from a camera of 30 frames a second.

    python benchmarks/camera.py                                  30 frames/s for 20 s, the bundled model, CPU
    python benchmarks/camera.py --engine openvino --cores 2
    python benchmarks/camera.py --rate 10 --policy every
    python benchmarks/camera.py --model retina-gan-small --pixels-per-degree 13 --size 1000

The frames imitate a still camera: one synthetic image with varying noise and brightness, enlarged to --size.
CPU time is that of each stage's thread; the engine's is what remains of the process's, with that of drawing
the frames. The accuracy of the same configuration is what ``retina-eval MODEL`` says with the same --engine
and --pixels-per-degree.
"""

import argparse
import itertools
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from pipeline import cpu_name

from retinagan.runtime.errors import RetinaGanError

PICTURE = Path(__file__).parent.parent / "examples" / "images" / "right_eye.jpg"


class StageCpu:
    """Sums the CPU time that threads spend in the stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def watch(self) -> None:
        """Count all stages from now on."""
        from retinagan.runtime.steps.timing import StageClock

        plain = StageClock.stage

        @contextmanager
        def stage(clock: StageClock, name: str) -> Iterator[None]:
            begin = time.thread_time()
            with plain(clock, name):
                yield
            self.seconds[name] = self.seconds.get(name, 0.0) + time.thread_time() - begin

        StageClock.stage = stage

    def table(self, whole: float, frames: int) -> str:
        """Give the milliseconds of a frame by stage; `whole` are the process's seconds for all frames."""
        stages = {name: value for name, value in self.seconds.items() if name != "infer"}
        rows = {**stages, "engine and rest": whole - sum(stages.values()), "sum": whole}
        lines = [f"{name:16}{1000 * value / frames:8.1f}" for name, value in rows.items()]
        return "\n".join(["CPU ms a frame", *lines])


def pictures(size: int | None) -> list[np.ndarray]:
    """Give what the camera shows in turn, (584, 565, 3) uint8 RGB, or `size` pixels wide."""
    from retinagan.runtime.images.reading import read_image

    picture = enlarged(read_image(PICTURE).pixels, size)
    generator = np.random.default_rng(0)
    return [
        np.clip(picture * light + generator.normal(0, 2, picture.shape), 0, 255).astype(np.uint8)
        for light in np.linspace(0.85, 1.05, 8)
    ]


def camera(lit: list[np.ndarray], rate: float, seconds: float) -> Iterator[np.ndarray]:
    """Yield an image at each tick of the clock; missed ticks are skipped."""
    begin = time.perf_counter()
    for number in itertools.count():
        due = begin + number / rate
        now = time.perf_counter()
        if now - begin >= seconds:
            return
        if now > due + 1 / rate:
            continue
        time.sleep(max(0.0, due - now))
        yield lit[number % len(lit)].copy()


def enlarged(picture: np.ndarray, width: int | None) -> np.ndarray:
    """Give the picture with another width and its own aspect."""
    import cv2

    if width is None or width == picture.shape[1]:
        return picture
    size = (width, round(picture.shape[0] * width / picture.shape[1]))
    how = cv2.INTER_CUBIC if width > picture.shape[1] else cv2.INTER_AREA
    return cv2.resize(picture, size, interpolation=how)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how close a camera's stream is to real time.")
    parser.add_argument("--rate", type=float, default=30.0, help="frames a second of the camera")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--policy", choices=("every", "latest"), default="latest")
    parser.add_argument("--queue", type=int, default=1)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--model", help="bundled model, ONNX file or engine")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--engine", default="auto")
    parser.add_argument(
        "--pixels-per-degree",
        type=float,
        metavar="D",
        help="density (default: the model's own)",
    )
    parser.add_argument("--field-of-view", type=float, metavar="DEGREES", help="the camera's angle")
    parser.add_argument("--size", type=int, metavar="PIXELS", help="width of the frames (default: 565)")
    options = parser.parse_args()
    try:
        measure(options)
    except RetinaGanError as error:
        sys.exit(str(error))


def measure(options: argparse.Namespace) -> None:
    """Run the camera's stream, and print what came out."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    import cv2

    from retinagan.runtime import Segmenter

    cv2.setNumThreads(1)  # three stages at once are enough for the cores
    with Segmenter(
        options.model,
        device=options.device,
        engine=options.engine,
        threads=options.cores,
        field_of_view=options.field_of_view,
        pixels_per_degree=options.pixels_per_degree,
    ) as segmenter:
        lit, size = pictures(options.size), 0
        segmenter(lit[0])  # the engine is warm for this size
        cpu = StageCpu()
        cpu.watch()
        frames = camera(lit, options.rate, options.seconds)
        before = time.process_time()
        with segmenter.stream(frames, policy=options.policy, queue=options.queue) as stream:
            results = 0
            for result in stream:
                if result.error is not None:
                    raise SystemExit(f"frame {result.number}: {result.error}")
                results += 1
                size = result.segmentation.working_size
            statistics = stream.statistics()
        busy = time.process_time() - before
        density = segmenter.spec.preprocessing.pixels_per_degree
        spec = segmenter.spec
        print(f"{cpu_name()}, {options.cores} cores; {segmenter.engine}; {spec.name}, {spec.precision};")
        print(f"camera of {options.rate:g} frames/s, policy {options.policy}, queue {options.queue};")
    if statistics.latency is None:
        raise SystemExit("no frame came through: give it more --seconds")
    scale = "a fixed working size" if density is None else f"{density:g} pixels per degree"
    print(f"frames of {lit[0].shape[1]}x{lit[0].shape[0]}, {scale}: a square of {size} pixels\n")
    print(f"{statistics}\n\n{cpu.table(busy, results)}\n")
    slowest = max(statistics.stages, key=lambda stage: statistics.stages[stage].p50)
    print(f"p99 of the latency is {statistics.latency.p99 / statistics.latency.p50:.1f} times p50")
    print(f"a frame costs {1000 * busy / results:.0f} ms of CPU; {options.cores} cores have ", end="")
    print(f"{1000 * options.cores / options.rate:.0f} ms for it at {options.rate:g} frames/s")
    print(f"the longest stage is {slowest}; it allows {1 / statistics.stages[slowest].p50:.1f} frames/s")


if __name__ == "__main__":
    main()
