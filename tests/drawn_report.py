"""An output folder with a report of drawn eyes, made by `retina-run` with the tiny model."""

import os
from pathlib import Path

import numpy as np
from drawn_retina import drawn_retina
from PIL import Image
from tiny_model import write_tiny_model

from retinagan.runtime.batch.cli import main

HOSTILE = (
    "<img src=x onerror=document.title=1>.png",
    "a</script><script>document.title=1</script>.png",
    "b<!--<script>.png",
    "\"'`&lt;&quot;{{data}}${document.title=1}.png",
    "javascript:document.title=1.png",
    "=HYPERLINK(1).png",
    "#1?a=b&c=%2e%2e%2f;.png",
    "line\nbreak\tand\x1b[31mcolour.png",
    "\u202egnp.elor-thgir\u202c.png",
    "眼底 ретина שבכיה 👁\u200d🗨.png",
    "x" * 120 + ".png",
    os.fsdecode(b"no-text-\xff\xfe.png"),
)
"""File names that try to become markup, program, links, formulas or other text."""

PLAIN = ("scan2.png", "scan10.png")
LARGE = "large.png"  # in more than one tile; its vessels are as sharp as drawn strokes, which is a warning
DOUBLE = "sub/both.png"  # with another warning
FAILED = {"text.png": False, "noise.png": True}  # and whether it is a picture


def write_images(folder: Path) -> None:
    """Write the images of a report."""
    for number, name in enumerate([*PLAIN, *HOSTILE]):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image, _ = drawn_retina(180 + 2 * number, 200, (20, 75 + 3 * number, 130, 165))
        Image.fromarray(image).save(path)
    image, _ = drawn_retina(1100, 1500)
    Image.fromarray(image).save(folder / LARGE)
    image, _ = drawn_retina()
    (folder / DOUBLE).parent.mkdir()
    Image.fromarray(np.hstack([image, image])).save(folder / DOUBLE)
    (folder / "text.png").write_text("not a picture")
    noise = np.random.default_rng(0).integers(0, 256, (180, 200, 3), np.uint8)
    Image.fromarray(noise).save(folder / "noise.png")


def write_report(folder: Path, *options: str) -> Path:
    """Segment the images in ``folder/in`` into ``folder/out``, and return that."""
    model = folder / "model"
    if not model.exists():
        model.mkdir()
        write_tiny_model(model)
    path = next(model.glob("*.onnx"))
    words = [str(folder / "in"), "--out", str(folder / "out"), "--model", str(path), "--report", "--quiet"]
    assert main([*words, *options]) in (0, 1)
    return folder / "out"
