"""Speed and accuracy of ACE: the tables of docs/ace.md.

    python benchmarks/ace.py speed                  milliseconds, beside OpenCV's CLAHE and other ACEs
    python benchmarks/ace.py accuracy               against exact ACE on DRIVE (RETINAGAN_DRIVE); an hour
    python benchmarks/ace.py response               R against direct summation at 1,000 pixels; minutes
    python benchmarks/ace.py picture docs/images    the page's picture
    python benchmarks/ace.py builds FILE FILE       two builds of the extension (_ace.*.so), taking turns

Methods use one thread unless a row says otherwise. Times are CPU times of that thread, which equal wall time
on an idle core and stay meaningful on a busy machine; rows with more threads are wall time. All methods take
turns, and the table has medians. ``pip install colorcorrect`` adds a row for that package.
"""

import argparse
import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pipeline import cpu_name

from retinagan.ace_ext import Workspace, _ace, ace, ace_exact

EXAMPLE = Path(__file__).parents[1] / "examples" / "images" / "right_eye.jpg"
SIZES = (512, 1024, 2048, 4096)
SAMPLES = 1000

Method = Callable[[], object]


def read(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)


def resized(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    return cv2.resize(
        image, (side, side), interpolation=cv2.INTER_AREA if side < len(image) else cv2.INTER_CUBIC
    )


def disc(side: int) -> NDArray[np.bool_]:
    """Return a mask like that of a fundus image: a disc almost as wide as the frame."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return np.hypot(y, x) < 0.48 * side


# ---- speed ----


def methods(side: int) -> dict[str, Method]:
    """Return the methods to time at a size, by name."""
    image = resized(read(EXAMPLE), side)
    mask, planes = disc(side), cv2.split(image)
    as_float = image / np.float32(255)
    workspaces = [Workspace() for _ in range(5)]
    out, float_out = np.empty_like(image), np.empty_like(as_float)
    clahe = cv2.createCLAHE(2.0, (8, 8))
    clahe_out = [np.empty_like(plane) for plane in planes]

    def opencv() -> None:
        for plane, result in zip(planes, clahe_out, strict=True):
            clahe.apply(plane, result)

    rows: dict[str, Method] = {
        "OpenCV CLAHE(2.0, (8, 8))": opencv,
        "ace": lambda: ace(image, workspace=workspaces[0], out=out),
        "ace, mask": lambda: ace(image, mask=mask, workspace=workspaces[1], out=out),
        "ace, float32": lambda: ace(as_float, workspace=workspaces[2], out=float_out),
        "ace, portable": variant(image, "portable"),
        "ace, allocating": lambda: ace(image),
        "ace, 2 threads": lambda: ace(image, threads=2, workspace=workspaces[3], out=out),
        "ace, 4 threads": lambda: ace(image, threads=4, workspace=workspaces[4], out=out),
    }
    if side == min(SIZES):
        rows["ace_exact"] = lambda: ace_exact(image)
        try:
            from colorcorrect.algorithm import automatic_color_equalization
        except ImportError:
            print("colorcorrect is not installed: its row is left out", file=sys.stderr)
        else:
            rows["colorcorrect"] = lambda: automatic_color_equalization(image)
    return rows


def variant(image: NDArray[np.uint8], name: str) -> Method:
    workspace, out, ranges = Workspace(), np.empty_like(image), np.empty((3, 2))
    return lambda: _ace.equalize(image, None, 5.0, 1, workspace, out, ranges, name)


def timed(rows: dict[str, Method], rounds: int) -> dict[str, float]:
    """Return each method's median time in milliseconds."""
    times: dict[str, list[float]] = {name: [] for name in rows}
    for number in range(rounds + 1):
        for name, method in rows.items():
            is_slow = name in ("ace_exact", "colorcorrect")
            if is_slow and number > 0:
                continue
            clock = time.perf_counter if "threads" in name else time.thread_time
            start = clock()
            method()
            if number > 0 or is_slow:  # the first round warms up
                times[name].append(1000 * (clock() - start))
    return {name: statistics.median(values) for name, values in times.items()}


def speed(rounds: int) -> None:
    cv2.setNumThreads(1)
    print(f"{cpu_name()}, OpenCV {cv2.__version__}\n")
    columns = {side: timed(methods(side), max(3, rounds * SIZES[0] // side)) for side in SIZES}
    print("| milliseconds, 3 channels | " + " | ".join(f"{side}x{side}" for side in SIZES) + " |")
    print("| --- |" + " ---: |" * len(SIZES))
    for name in columns[SIZES[0]]:
        cells = [f"{columns[side][name]:.2f}" if name in columns[side] else "" for side in SIZES]
        print(f"| {name} | " + " | ".join(cells) + " |")
    times = {side: columns[side]["ace"] for side in SIZES}
    ratios = [f"{times[side] / columns[side]['OpenCV CLAHE(2.0, (8, 8))']:.2f}" for side in SIZES]
    print("| ace / CLAHE | " + " | ".join(ratios) + " |")
    print(
        "| ace, ns a pixel and channel | "
        + " | ".join(f"{t * 1e6 / s / s / 3:.2f}" for s, t in times.items())
        + " |"
    )
    held = []
    for side in SIZES:
        workspace = Workspace()
        ace(resized(read(EXAMPLE), side), workspace=workspace)
        held.append(f"{workspace.nbytes / (12 * side * side):.2f}")
    print("| scratch / image as float32 | " + " | ".join(held) + " |")


# ---- accuracy ----


def drive_images() -> Iterator[tuple[str, NDArray[np.uint8], NDArray[np.bool_]]]:
    folder = os.environ.get("RETINAGAN_DRIVE")
    if not folder:
        sys.exit("RETINAGAN_DRIVE is not set; set it to the folder of the DRIVE dataset")
    for path in sorted(Path(folder).glob("*/images/*.tif")):
        mask = next(path.parents[1].glob(f"mask/{path.stem}_mask.*"))
        yield path.stem, read(path), read(mask) > 0


def accuracy(images: int) -> None:
    rows: dict[str, list[NDArray[np.float64]]] = {}
    for _, (name, image, mask) in zip(range(images), drive_images(), strict=False):
        small = resized(image, 512), cv2.resize(mask.astype(np.uint8), (512, 512), interpolation=0) > 0
        for size, (picture, inside) in {"512x512": small, "565x584": (image, mask)}.items():
            for setting, subset in {"whole": None, "mask": inside}.items():
                exact = ace_exact(picture, mask=subset).astype(float)
                apart = np.abs(ace(picture, mask=subset) - exact)
                apart = apart[inside] if subset is not None else apart.reshape(-1, 3)
                rows.setdefault(f"{size}, {setting}", []).append(np.array([apart.max(0), apart.mean(0)]))
        print(name, file=sys.stderr)
    print("| grey levels apart | images | largest | mean | largest mean of a channel |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for setting, found in rows.items():
        largest, means = np.array(found).transpose(1, 0, 2)
        print(f"| {setting} | {len(found)} | {largest.max():.0f} | {means.mean():.3f} | {means.max():.3f} |")


def response() -> None:
    """Compare R before the stretch with direct summation."""
    rng = np.random.default_rng(0)
    print("| R against direct sums | largest | mean | largest, grey levels |")
    print("| --- | ---: | ---: | ---: |")
    for side in (2048, 4096):
        green = resized(read(EXAMPLE), side)[:, :, 1]
        noisy = np.clip(green + rng.normal(0, 4, green.shape), 0, 255).astype(np.uint8)
        for setting, mask in {"whole": np.ones((side, side), bool), "mask": disc(side)}.items():
            intensity = (noisy / np.float32(255))[:, :, None]
            result, ranges = np.empty_like(intensity), np.empty((1, 2))
            _ace.equalize(intensity, mask.view(np.uint8), 5.0, 1, Workspace(), result, ranges)
            row, column = (axis.astype(np.float32) for axis in np.nonzero(mask))
            chosen = np.sort(rng.choice(row.size, SAMPLES, replace=False)).astype(np.uintp)
            exact = np.empty(SAMPLES)
            _ace.direct(row, column, intensity[mask, 0], 5.0, chosen, exact)
            low, length = ranges[0, 0], ranges[0, 1] - ranges[0, 0]
            apart = np.abs(low + length * result[mask, 0][chosen] - exact)
            cells = f"{apart.max():.4f} | {apart.mean():.4f} | {255 * apart.max() / length:.2f}"
            print(f"| {side}x{side}, {setting} | {cells} |")


def picture(folder: Path) -> None:
    """Write a synthetic fundus image, the same after CLAHE and after ACE, side by side."""
    image = resized(read(EXAMPLE), 400)
    mask = image.max(2) > 12
    clahe = cv2.createCLAHE(2.0, (8, 8))
    other = np.dstack([clahe.apply(channel) for channel in cv2.split(image)]) * mask[..., None]
    Image.fromarray(np.hstack([image, other, ace(image, mask=mask)])).save(folder / "ace.jpg", quality=88)


def load(path: Path) -> ModuleType:
    """Load a built extension from its file."""
    spec = importlib.util.spec_from_file_location("retinagan.ace_ext._ace", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def builds(files: list[Path], rounds: int) -> None:
    """Time two builds of the extension against each other: a call with one pixel, and a frame."""
    modules = [load(path) for path in files]
    print(f"{cpu_name()}, Python {sys.version.split()[0]}, 1 thread\n")
    print("| microseconds | " + " | ".join(path.name for path in files) + " | ratio |")
    print("| --- |" + " ---: |" * (len(files) + 1))
    rng = np.random.default_rng(0)
    for shape, calls in {(1, 1, 1): 50, (512, 512, 3): 1}.items():
        image = rng.integers(0, 256, shape, dtype=np.uint8)
        out, ranges = np.empty_like(image), np.empty((shape[2], 2))
        workspaces = [module.Workspace() for module in modules]
        times: list[list[float]] = [[] for _ in modules]
        for number in range(rounds + 1):
            turns = list(zip(modules, workspaces, times, strict=True))
            for module, workspace, record in turns if number % 2 else turns[::-1]:
                start = time.thread_time()
                for _ in range(calls):
                    module.equalize(image, None, 5.0, 1, workspace, out, ranges)
                if number > 0:  # the first round warms up
                    record.append(1e6 * (time.thread_time() - start) / calls)
        medians = [statistics.median(record) for record in times]
        cells = " | ".join(f"{median:.2f}" for median in medians)
        print(f"| {'x'.join(map(str, shape))} | {cells} | {medians[1] / medians[0]:.3f} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("speed", "accuracy", "response", "picture", "builds"))
    parser.add_argument("paths", nargs="*", type=Path, help="picture: the output folder; builds: two files")
    parser.add_argument("--rounds", type=int, default=41, help="rounds at 512x512 (default: %(default)s)")
    parser.add_argument("--images", type=int, default=40, help="number of DRIVE images (default: all)")
    arguments = parser.parse_args()
    if arguments.what == "speed":
        speed(arguments.rounds)
    elif arguments.what == "accuracy":
        accuracy(arguments.images)
    elif arguments.what == "response":
        response()
    elif arguments.what == "builds":
        if len(arguments.paths) != 2:
            parser.error(f"builds takes two files, got {len(arguments.paths)}")
        builds(arguments.paths, arguments.rounds)
    else:
        if len(arguments.paths) != 1:
            parser.error(f"picture takes one output folder, got {len(arguments.paths)}")
        picture(arguments.paths[0])


if __name__ == "__main__":
    main()
