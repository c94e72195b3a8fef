"""Measure rate, latency and time per stage of a stream from a camera of 30 frames a second.

    python benchmarks/camera.py                                  30 frames/s for 20 s, the bundled model, CPU
    python benchmarks/camera.py --engine openvino --cores 2
    python benchmarks/camera.py --rate 10 --policy every

The frames imitate a still camera: one synthetic image with varying noise and brightness.
"""

import argparse
import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pipeline import cpu_name

PICTURE = Path(__file__).parent.parent / "examples" / "images" / "right_eye.jpg"


def camera(rate: float, seconds: float) -> Iterator[np.ndarray]:
    """Yield an image at each tick of the clock, (584, 565, 3) uint8 RGB; missed ticks are skipped."""
    from retinagan.runtime.images.reading import read_image

    picture = read_image(PICTURE).pixels
    generator = np.random.default_rng(0)
    lit = [
        np.clip(picture * light + generator.normal(0, 2, picture.shape), 0, 255).astype(np.uint8)
        for light in np.linspace(0.85, 1.05, 8)
    ]
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
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    import cv2

    from retinagan.runtime import Segmenter

    cv2.setNumThreads(1)  # three stages at once are enough for the cores
    with Segmenter(
        options.model, device=options.device, engine=options.engine, threads=options.cores
    ) as segmenter:
        segmenter.warmup()
        frames = camera(options.rate, options.seconds)
        before = time.process_time()
        with segmenter.stream(frames, policy=options.policy, queue=options.queue) as stream:
            results = 0
            for result in stream:
                if result.error is not None:
                    raise SystemExit(f"frame {result.number}: {result.error}")
                results += 1
            statistics = stream.statistics()
        busy = (time.process_time() - before) / max(1, results)
        print(f"{cpu_name()}, {options.cores} cores; {segmenter.engine}; model {segmenter.spec.name};")
        print(f"camera of {options.rate:g} frames/s, policy {options.policy}, queue {options.queue}\n")
        print(f"{statistics}\n")
    if statistics.latency is None:
        raise SystemExit("no frame came through: give it more --seconds")
    slowest = max(statistics.stages, key=lambda stage: statistics.stages[stage].p50)
    print(f"p99 of the latency is {statistics.latency.p99 / statistics.latency.p50:.1f} times p50")
    print(f"a frame costs {1000 * busy:.0f} ms of CPU; {options.cores} cores have ", end="")
    print(f"{1000 * options.cores / options.rate:.0f} ms for it at {options.rate:g} frames/s")
    print(f"the longest stage is {slowest}; it allows {1 / statistics.stages[slowest].p50:.1f} frames/s")


if __name__ == "__main__":
    main()
