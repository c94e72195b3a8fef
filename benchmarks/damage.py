"""Count how many damaged files are refused, and how many sound ones.

    python benchmarks/damage.py [FOLDER ...]
    python benchmarks/damage.py --only HEIC

Draws synthetic eyes, stores them as JPEG (each chroma subsampling, progressive, restart markers, grey,
CMYK), TIFF (each compression), PNG, WebP, JPEG 2000 and, where pillow-heif is installed, HEIC, overwrites
512 bytes at a random place, 40 times each, and reads the result. A file that is read although its pixels
changed by more than 2 grey levels (root mean square) is missed, or doubted if its picture has a warning;
others are harmless. Then it reads sound JPEGs: some 500 that it draws, and all in the folders
named. Prints a Markdown table. With --only, it damages the files whose kind has this word, and reads no
sound ones.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from synthetic_fundus import FundusOptions, render

from retinagan.runtime.errors import ImageError, NoRetinaError
from retinagan.runtime.images.frames import as_rgb8
from retinagan.runtime.images.reading import read_image
from retinagan.runtime.retina.find import find_retina
from retinagan.runtime.steps.picture import picture_of, picture_warnings

TRIALS, LENGTH = 40, 512
OUTCOMES = ("found", "harmless", "doubted", "missed")
HARMLESS = 2.0
SAMPLINGS = {"4:4:4": 0x111111, "4:2:2": 0x211111, "4:2:0": 0x221111, "4:4:0": 0x121111, "4:1:1": 0x411111}


def stored(image: np.ndarray) -> Iterator[tuple[str, bytes]]:
    """Give an image in each kind of file that is damaged."""
    for name, options in {
        "JPEG, baseline, quality 75": {"quality": 75},
        "JPEG, baseline, quality 92": {"quality": 92},
        "JPEG, optimized tables": {"quality": 90, "optimize": True},
        "JPEG, restart markers": {"quality": 90, "restart_marker_rows": 1},
        "JPEG, progressive": {"quality": 90, "progressive": True},
    }.items():
        yield name, saved(image, "JPEG", **options)
    yield "JPEG, grey", saved(image[..., 1], "JPEG", quality=90)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd"):
        yield f"TIFF, {compression}", saved(image, "TIFF", compression=compression)
    yield "PNG", saved(image, "PNG")
    yield "WebP, lossless", saved(image, "WEBP", lossless=True)
    yield "WebP, lossy", saved(image, "WEBP", quality=90)
    yield "JPEG 2000, lossless", saved(image, "JPEG2000")
    yield "JPEG 2000, lossy", saved(image, "JPEG2000", irreversible=True, quality_layers=[12])
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return
    register_heif_opener()
    yield "HEIC, quality 90", saved(image, "HEIF", quality=90)


def saved(image: np.ndarray, kind: str, mode: str | None = None, **options: object) -> bytes:
    """Return what Pillow writes of an image, converted to a mode first."""
    buffer = io.BytesIO()
    picture = Image.fromarray(image)
    (picture.convert(mode) if mode else picture).save(buffer, kind, **options)
    return buffer.getvalue()


def read(data: bytes, path: Path) -> np.ndarray | None:
    """Return what is read of a file, None if it is refused."""
    path.write_bytes(data)
    try:
        return read_image(path).pixels
    except ImageError:
        return None


def outcomes(data: bytes, path: Path, fill: str, random: np.random.Generator) -> Counter[str]:
    """Damage a file at random places and count what comes of it."""
    sound = read(data, path)
    assert sound is not None, "the sound file is refused"
    counts: Counter[str] = Counter()
    for place in random.integers(0, len(data) - LENGTH, TRIALS):
        patch = bytes(LENGTH) if fill == "zeros" else random.bytes(LENGTH)
        found = read(data[:place] + patch + data[place + LENGTH :], path)
        counts[_outcome(found, sound)] += 1
    return counts


def _outcome(found: np.ndarray | None, sound: np.ndarray) -> str:
    """Return one of `OUTCOMES`."""
    if found is None:
        return "found"
    if _alike(found, sound):
        return "harmless"
    picture = as_rgb8(found)
    try:
        retina = find_retina(picture)
    except NoRetinaError:
        return "found"
    return "doubted" if retina.warnings or picture_warnings(picture_of(picture, retina)) else "missed"


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two images of one size differ by at most `HARMLESS` grey levels."""
    return one.shape == other.shape and bool(np.sqrt(((one - other.astype(float)) ** 2).mean()) <= HARMLESS)


def sound_jpegs(images: list[np.ndarray]) -> Iterator[bytes]:
    """Give some 500 sound JPEGs."""
    for image in images:
        for sampling in SAMPLINGS.values():
            for progressive in (0, 1):
                for restart in (0, 7):
                    for quality in (5, 50, 75, 85, 92, 100):
                        options = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling, cv2.IMWRITE_JPEG_PROGRESSIVE)
                        options += (progressive, cv2.IMWRITE_JPEG_RST_INTERVAL, restart)
                        options += (cv2.IMWRITE_JPEG_QUALITY, quality)
                        yield cv2.imencode(".jpg", image[..., ::-1], options)[1].tobytes()
        for quality in (50, 90):
            yield saved(image[..., 1], "JPEG", quality=quality)
            yield saved(image, "JPEG", "CMYK", quality=quality)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, help="folders of sound JPEGs")
    parser.add_argument("--only", default="", metavar="WORD", help="kinds of files with this word, no others")
    options = parser.parse_args()
    folders = options.folders
    images = [render(FundusOptions(seed=seed, camera="canon")).image for seed in range(5)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        titles = [f"{fill}: {outcome}" for fill in ("zeros", "random") for outcome in OUTCOMES]
        print(f"| file | {' | '.join(titles)} |")
        print("| --- " * (1 + len(titles)) + "|")
        for name, data in stored(images[0]):
            if options.only not in name:
                continue
            cells = []
            random = np.random.default_rng(0)  # so that a kind alone has the same damage
            for fill in ("zeros", "random"):
                counts = outcomes(data, path, fill, random)
                cells += [str(counts[key]) for key in OUTCOMES]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)
        if options.only:
            return
        drawn = [
            read(data, path) is not None for data in sound_jpegs([im[::2, ::2].copy() for im in images[:4]])
        ]
        print(f"\nSound JPEGs drawn: {len(drawn)}, refused: {drawn.count(False)}")
    for folder in folders:
        files = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in (".jpg", ".jpeg")]
        refused = []
        for file in files:
            try:
                read_image(file)
            except ImageError as error:
                refused.append(f"{file.name}: {error}")
        print(f"Sound JPEGs in {folder.name}: {len(files)}, refused: {len(refused)}", *refused, sep="\n  ")


if __name__ == "__main__":
    main()
