"""Images a second by each engine that is installed, in each precision of an exported folder.

    retina-export MODEL --out exported --precision fp32 fp16 bf16 int8 int8-onnxruntime --calibrate IMAGES
    python benchmarks/engines.py exported
    python benchmarks/engines.py exported --threads 4 --patch 128      the paper's sixteen patches

Each engine gets the patches of one synthetic picture, first some times to warm up, then as often as
``--rounds`` says; the medians count. The engine's own run is timed, and the whole way from a frame to its
vessels. Beside each stands how many times ONNX Runtime's FP32 it is, what it should be, and how its vessel
map agrees with FP32's (Dice).
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pipeline import cpu_name

from retinagan.runtime import Segmenter
from retinagan.runtime.adapters import EngineAdapter, open_adapter
from retinagan.runtime.errors import EngineError
from retinagan.runtime.patches import PatchGrid
from retinagan.runtime.prepare import prepare
from retinagan.runtime.reading import read_image
from retinagan.runtime.spec import ModelSpec, Tiling, spec_path
from retinagan.runtime.steps import PatchBuffers, cut_patches
from retinagan.runtime.timing import StageClock

PICTURE = Path(__file__).parent.parent / "examples" / "images" / "right_eye.jpg"
FEATURES = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
BASE = ("onnxruntime", "fp32")
TARGETS = {("openvino", "bf16"): 3.0, ("openvino", "int8"): 3.0, ("onnxruntime", "int8-onnxruntime"): 1.5}
"""Times ONNX Runtime's FP32, on a CPU with VNNI or AMX."""
WAYS = {
    "fp32": ("onnxruntime", "openvino"),
    "fp16": ("onnxruntime", "openvino"),
    "bf16": ("openvino",),
    "int8": ("openvino", "onnxruntime"),
    "int8-onnxruntime": ("onnxruntime",),
}
"""By the file's precision, what runs it."""


@dataclass(frozen=True)
class Row:
    """What was measured; seconds."""

    engine: str
    precision: str
    description: str
    own: float
    whole: float
    vessels: Any


def main() -> None:
    parser = argparse.ArgumentParser(description="Time every installed engine in every exported precision.")
    parser.add_argument("folder", type=Path, help="written by retina-export")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--patch", type=int, help="side of the patches (default: the model's)")
    options = parser.parse_args()
    rows = []
    for path in sorted(options.folder.glob("*.onnx")) + sorted(options.folder.glob("*.engine")):
        spec = ModelSpec.load(spec_path(path))
        engines, precision = ways(path, spec)
        for engine in engines:
            try:
                rows.append(measure(path, engine, precision, options))
            except EngineError as error:
                print(f"not timed: {path.name} by {engine}: {error}")
    if not rows:
        raise SystemExit(f"{options.folder}: nothing there that an installed engine runs")
    print(table(rows, options))


def ways(path: Path, spec: ModelSpec) -> tuple[tuple[str, ...], str]:
    """Give the engines that run a file, and what its precision is called."""
    if spec.engine is not None:
        return ("tensorrt",), spec.precision
    name = path.stem.removeprefix(f"{spec.name}-")
    precision = name if name in WAYS else spec.precision
    return WAYS[precision], precision


def measure(path: Path, engine: str, precision: str, options: argparse.Namespace) -> Row:
    """Time one engine on one file."""
    frame = read_image(PICTURE)
    with tempfile.TemporaryDirectory() as folder:
        path = cut_otherwise(path, Path(folder), options.patch) if options.patch else path
        spec = ModelSpec.load(spec_path(path))
        with open_adapter(path, spec, engine=engine, threads=options.threads) as adapter:
            own = times(engine_alone(adapter, frame), options.rounds)
        with Segmenter(path, engine=engine, threads=options.threads) as segmenter:
            whole = times(lambda: segmenter(frame), options.rounds)
            vessels = segmenter(frame).vessels
            return Row(engine, precision, segmenter.engine, own, whole, vessels)


def cut_otherwise(path: Path, folder: Path, side: int) -> Path:
    """Copy a model with patches of another side in its spec; the network takes any that its divisor fits."""
    spec = ModelSpec.load(spec_path(path))
    copy = Path(shutil.copy(path, folder))
    replace(spec, tiling=Tiling(side)).save(spec_path(copy))
    return copy


def engine_alone(adapter: EngineAdapter, frame: np.ndarray) -> Callable[[], object]:
    """Give a function that runs the engine on a frame's patches and does nothing else."""
    spec = adapter.spec
    grid = PatchGrid(spec.preprocessing.working_size, spec.tiling.patch, spec.tiling.overlap)
    batch = cut_patches(
        prepare(frame, spec.preprocessing), grid, spec.network_input, PatchBuffers(grid), StageClock()
    )
    return lambda: adapter.infer(batch.image, batch.roi, batch.probability)


def times(call: Callable[[], object], rounds: int) -> float:
    """Give the median time of a call, warmed up."""
    for _ in range(3):
        call()
    return statistics.median(timed(call) for _ in range(rounds))


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def table(rows: list[Row], options: argparse.Namespace) -> str:
    """Lay the rows out as Markdown."""
    base = next((row for row in rows if (row.engine, row.precision) == BASE), None)
    lines = [
        f"{cpu_name()} ({', '.join(cpu_features())}), {options.threads} threads; "
        f"medians of {options.rounds} rounds.",
        "",
        "| engine | precision | images/s, engine alone | images/s, whole way | times ORT FP32 | target "
        "| Dice with FP32's map |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        times = "-" if base is None else f"{base.own / row.own:.2f}"
        target = TARGETS.get((row.engine, row.precision))
        agreement = "-" if base is None else f"{dice(base.vessels, row.vessels):.4f}"
        lines.append(
            f"| {row.description} | {row.precision} | {1 / row.own:.2f} | {1 / row.whole:.2f} | {times} "
            f"| {'-' if target is None else f'at least {target:g}'} | {agreement} |"
        )
    return "\n".join(lines)


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return float(2 * (first & second).sum() / max(1, first.sum() + second.sum()))


def cpu_features() -> list[str]:
    """Give those of the CPU's features that the engines make use of."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("flags"):
            return [name for name in FEATURES if name in line.split()]
    return []


if __name__ == "__main__":
    main()
