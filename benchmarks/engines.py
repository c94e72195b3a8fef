r"""Measure images a second for every installed engine and every precision in an exported folder.

    retina-export MODEL --out exported --precision fp32 fp16 bf16 int8 int8-openvino int8-onnxruntime \
        --calibrate IMAGES
    python benchmarks/engines.py exported
    python benchmarks/engines.py exported --threads 4 --patch 128      the paper's sixteen patches

Each engine runs the patches of one synthetic image: first to warm up, then in turn with the others for
``--rounds`` rounds. The table shows medians of the engine's own run and of the whole way from a frame to its
vessels, the speed relative to ONNX Runtime's FP32 in the same round, the expected ratio, and the agreement of
its vessel map with FP32's (Dice).
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from pipeline import cpu_name

from retinagan.runtime import Segmenter
from retinagan.runtime.engines import EngineAdapter, open_adapter
from retinagan.runtime.errors import EngineError
from retinagan.runtime.images.reading import read_image
from retinagan.runtime.model.parameters import Tiling
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.steps.patches import PatchGrid
from retinagan.runtime.steps.prepare import prepare
from retinagan.runtime.steps.segment import PatchBuffers, cut_patches
from retinagan.runtime.steps.timing import StageClock

PICTURE = Path(__file__).parent.parent / "examples" / "images" / "right_eye.jpg"
FEATURES = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
BASE = ("onnxruntime", "fp32")
TARGETS = {
    ("openvino", "bf16"): 3.0,
    ("openvino", "int8-openvino"): 3.0,
    ("onnxruntime", "int8-onnxruntime"): 1.5,
}
"""Times ONNX Runtime's FP32, on a CPU with VNNI or AMX."""
WAYS = {
    "fp32": ("onnxruntime", "openvino"),
    "fp16": ("onnxruntime", "openvino"),
    "bf16": ("openvino",),
    "int8": ("openvino", "onnxruntime"),
    "int8-openvino": ("openvino", "onnxruntime"),
    "int8-onnxruntime": ("onnxruntime", "openvino"),
}
"""By the file's precision, what runs it."""


@dataclass
class Row:
    """An engine with a file, and the seconds of each round."""

    engine: str
    precision: str
    adapter: EngineAdapter
    segmenter: Segmenter
    own: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time every installed engine in every exported precision.")
    parser.add_argument("folder", type=Path, help="written by retina-export")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--patch", type=int, help="side of the patches (default: the model's)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = list(opened(options, Path(folder)))
        if not rows:
            raise SystemExit(f"{options.folder}: nothing there that an installed engine runs")
        frame = read_image(PICTURE).pixels
        calls = [(engine_alone(row.adapter, frame), partial(row.segmenter, frame)) for row in rows]
        for number in range(-3, options.rounds):
            for row, (own, whole) in zip(rows, calls, strict=True):
                times = timed(own), timed(whole)
                if number >= 0:
                    row.own.append(times[0])
                    row.whole.append(times[1])
        print(table(rows, frame, options))


def opened(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Open every file of the exported folder by every engine that runs it and is installed."""
    for path in sorted(options.folder.glob("*.onnx")) + sorted(options.folder.glob("*.engine")):
        engines, precision = ways(path, ModelSpec.load(spec_path(path)))
        path = cut_otherwise(path, folder, options.patch) if options.patch else path
        spec = ModelSpec.load(spec_path(path))
        for engine in engines:
            try:
                adapter = open_adapter(path, spec, engine=engine, threads=options.threads)
                segmenter = Segmenter(path, engine=engine, threads=options.threads)
            except EngineError as error:
                print(f"not timed: {path.name} by {engine}: {error}")
            else:
                yield Row(engine, precision, adapter, segmenter)


def ways(path: Path, spec: ModelSpec) -> tuple[tuple[str, ...], str]:
    """Give the engines that run a file, and what its precision is called."""
    if spec.engine is not None:
        return ("tensorrt",), spec.precision
    name = path.stem.removeprefix(f"{spec.name}-")
    precision = name if name in WAYS else spec.precision
    return WAYS[precision], precision


def cut_otherwise(path: Path, folder: Path, side: int) -> Path:
    """Copy a model with patches of another side in its spec; the network takes any that its divisor fits."""
    spec = ModelSpec.load(spec_path(path))
    copy = Path(shutil.copy(path, folder))
    replace(spec, tiling=Tiling(side)).save(spec_path(copy))
    return copy


def engine_alone(adapter: EngineAdapter, frame: np.ndarray) -> Callable[[], object]:
    """Give a function that runs the engine on a frame's patches and does nothing else."""
    spec = adapter.spec
    prepared = prepare(frame, spec.preprocessing)
    buffers = PatchBuffers(PatchGrid.of(len(prepared.roi), spec.tiling))
    batch = cut_patches(prepared, spec.network_input, buffers, StageClock())
    return lambda: adapter.infer(batch.image, batch.roi, batch.probability)


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def table(rows: list[Row], frame: np.ndarray, options: argparse.Namespace) -> str:
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
        cells = [row.adapter.description, row.precision]
        cells += [f"{1 / statistics.median(times):.2f}" for times in (row.own, row.whole)]
        target = TARGETS.get((row.engine, row.precision))
        if base is None:
            cells += ["-", "-", "-"]
        else:
            ratios = [first / second for first, second in zip(base.own, row.own, strict=True)]
            agreement = dice(base.segmenter(frame).vessels, row.segmenter(frame).vessels)
            cells += [f"{statistics.median(ratios):.2f}", "-" if target is None else f"at least {target:g}"]
            cells.append(f"{agreement:.4f}")
        lines.append(f"| {' | '.join(cells)} |")
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
