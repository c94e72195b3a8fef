"""Run thousands of frames through a stream: memory, threads and files must not grow, no frame is lost.

    python benchmarks/soak.py                           10,000 frames, the bundled model, on the CPU
    python benchmarks/soak.py --policy latest --rate 30

The frames are synthetic images of three cameras, shifted, relit and noisy; some show no retina or are not
frames at all. Memory, threads and open files are recorded every 50 frames and compared with their values
after the first 500. The exit code is 1 if resident memory grows by 1 % or more, if threads or files grow,
or if a frame is not accounted for.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from pipeline import cpu_name

from retinagan.runtime import Segmenter
from retinagan.runtime.images.reading import read_image

IMAGES = Path(__file__).parent.parent / "examples" / "images"
EVERY = 50
FAILING = 40
"""Of this many frames, one shows no retina and one is not a frame."""


@dataclass(frozen=True)
class Sample:
    """State of the process at one time; memory in MiB."""

    frames: int
    memory: float
    threads: int
    files: int

    @classmethod
    def now(cls, frames: int) -> "Sample":
        """Read them from the system."""
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        memory = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
        return cls(
            frames, memory, *(len(list(Path("/proc/self", kind).iterdir())) for kind in ("task", "fd"))
        )


def varying_frames(count: int, side: int, rate: float) -> Iterator[np.ndarray]:
    """Yield frames, no two alike, and what cameras send when something is wrong."""
    pictures = [_framed(read_image(path).pixels, side) for path in sorted(IMAGES.glob("*.[pj][np]g"))]
    generator = np.random.default_rng(0)
    begin = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, begin + number / rate - time.monotonic()))
        frame = pictures[number // EVERY % len(pictures)]  # a camera stands still for a while
        if number % FAILING == FAILING // 2:
            yield np.zeros_like(frame)
        elif number % FAILING == FAILING - 1:
            yield np.full(frame.shape, np.nan, np.float32)
        else:
            yield _changed(frame, generator)


def _framed(picture: np.ndarray, side: int) -> np.ndarray:
    """Put a picture in the middle of a square frame: a camera's frames have one size."""
    scale = side / max(picture.shape)
    resized = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = resized.shape[:2]
    top, left = (side - height) // 2, (side - width) // 2
    edges = (top, side - height - top, left, side - width - left)
    return cv2.copyMakeBorder(resized, *edges, cv2.BORDER_CONSTANT)


def _changed(frame: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Shift a frame by up to 1 % of its width, light it otherwise, and add a grain; all in 8 bits."""
    height, width = frame.shape[:2]
    x, y = generator.normal(0, 0.003 * width, 2).clip(-0.01 * width, 0.01 * width)
    moved = cv2.warpAffine(frame, np.array([[1, 0, x], [0, 1, y]]), (width, height))
    grain = np.frombuffer(generator.bytes(moved.size), np.uint8).reshape(moved.shape) & np.uint8(7)
    return cv2.add(cv2.convertScaleAbs(moved, alpha=generator.uniform(0.8, 1.05)), grain)


def soak(segmenter: Segmenter, frames: Iterator[np.ndarray], policy: str) -> tuple[list[Sample], str, bool]:
    """Send the frames through a stream; give the samples, its statistics, and whether none was lost."""
    samples, numbers, told = [], [], time.monotonic()
    with segmenter.stream(frames, policy=policy) as stream:
        for result in stream:
            numbers.append(result.number)
            if result.number >= EVERY * (1 + len(samples)):
                samples.append(Sample.now(result.number))
            if time.monotonic() - told > 60:
                told = time.monotonic()
                print(samples[-1:], file=sys.stderr)
        statistics = stream.statistics()
    accounted = (
        numbers == sorted(set(numbers))
        and statistics.segmented + statistics.failed == len(numbers)
        and statistics.received == len(numbers) + statistics.dropped
    )
    return samples, str(statistics), accounted


def table(samples: list[Sample], rows: int = 10) -> str:
    """Give about so many of the samples as Markdown."""
    chosen = samples[:: max(1, len(samples) // rows)]
    lines = ["| frames | resident memory | threads | open files |", "| ---: | ---: | ---: | ---: |"]
    lines += [f"| {s.frames} | {s.memory:.1f} MiB | {s.threads} | {s.files} |" for s in chosen]
    return "\n".join(lines)


def verdict(samples: list[Sample], warm: int, tolerance: float, accounted: bool) -> list[str]:
    """Say what grew after the first `warm` frames; nothing if all is well."""
    before = [sample for sample in samples if sample.frames <= warm]
    after = [sample for sample in samples if sample.frames > warm]
    if not before or not after:
        return [f"too few frames to compare before and after {warm}"]
    problems = [] if accounted else ["frames are not accounted for"]
    growth = max(sample.memory for sample in after) / max(sample.memory for sample in before) - 1
    if growth >= tolerance:
        problems.append(f"resident memory grew by {growth:.2%}")
    for name in ("threads", "files"):
        most = [max(getattr(sample, name) for sample in part) for part in (before, after)]
        if most[1] > most[0]:
            problems.append(f"{name} grew from {most[0]} to {most[1]}")
    print(f"memory's largest after {warm} frames, against its largest until then: {growth:+.2%}")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description="Soak a stream in frames.")
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--warm", type=int, default=500, help="frames after which nothing may grow")
    parser.add_argument("--tolerance", type=float, default=0.01, help="growth of memory that is too much")
    parser.add_argument("--policy", choices=("every", "latest"), default="every")
    parser.add_argument("--rate", type=float, default=1000.0, help="most frames a second")
    parser.add_argument("--side", type=int, default=584, help="the square frames' side")
    parser.add_argument("--model", help="bundled model, ONNX file or engine")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, help="CPU threads of the engine")
    options = parser.parse_args()
    with Segmenter(options.model, device=options.device, threads=options.threads) as segmenter:
        frames = varying_frames(options.frames, options.side, options.rate)
        samples, statistics, accounted = soak(segmenter, frames, options.policy)
        print(f"{cpu_name()}; {segmenter.engine}; model {segmenter.spec.name}; policy {options.policy}\n")
    print(f"{table(samples)}\n\n{statistics}\n")
    problems = verdict(samples, options.warm, options.tolerance, accounted)
    print("\n".join(problems) or "nothing grew, and every frame is accounted for")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
