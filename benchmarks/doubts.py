"""Count which pictures are doubted: as they are, with less or more light, and with marks drawn over them.

    python benchmarks/doubts.py DRIVE CHASE_DB1 HRF
    python benchmarks/doubts.py CHASE_DB1 --model retina-gan --every 4 --of light

Each folder is a dataset. Each picture is altered in each way, and its warnings counted: those of the picture
alone, or with --model those of the model's result, and the mean Dice inside the FOV at the model's threshold.
"light x 0.1" multiplies all values and rounds them, as a dark photograph of 8 bits has them; those above 255
are burnt out. "enlarged" are pictures that had a smaller retina; "focus lost" are blurred, by a sigma in
608ths of the retina's diameter. "letters" are a word across the retina in white or black, of which the number
is the opacity; "logo" is a small word repeated all over it. Prints a Markdown table for each dataset.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from retinagan.runtime import Segmenter
from retinagan.runtime.console.command import DONE, CommandParser, run_command
from retinagan.runtime.errors import ImageError
from retinagan.runtime.retina.disc import Disc
from retinagan.runtime.retina.find import find_retina
from retinagan.runtime.steps.picture import picture_of, picture_warnings
from retinagan.train.data.files import ALL, find_dataset
from retinagan.train.data.images import LabelledImage, load_labelled

Image = NDArray[np.uint8]
Alter = Callable[[Image, Disc], Image]

REFUSED = "refused"


def lit(light: float, image: Image, disc: Disc) -> Image:
    """Return a picture with a multiple of its light."""
    return np.asarray(np.clip(np.round(image * np.float32(light)), 0, 255), np.uint8)


def enlarged(diameter: int, image: Image, disc: Disc) -> Image:
    """Return a picture that was shrunk until the retina had this diameter, and enlarged again."""
    scale = diameter / (2 * disc.radius)
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def out_of_focus(sigma: float, image: Image, disc: Disc) -> Image:
    """Return a blurred picture; sigma in 608ths of the retina's diameter."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma * disc.radius / 304), np.uint8)


def lettered(opacity: float, level: int, image: Image, disc: Disc) -> Image:
    """Return a picture with a word across the retina."""
    return _blended(image, _word("SAMPLE", image, disc, 1.2, (disc.center_x, disc.center_y)), opacity, level)


def with_logo(opacity: float, level: int, image: Image, disc: Disc) -> Image:
    """Return a picture with a small word repeated over the retina."""
    drawn = np.zeros(image.shape[:2], np.uint8)
    for row in np.linspace(-0.75, 0.75, 6):
        for column in np.linspace(-0.7, 0.7, 4):
            place = (disc.center_x + column * disc.radius, disc.center_y + row * disc.radius)
            np.maximum(drawn, _word("eyeclinic", image, disc, 0.3, place), out=drawn)
    return _blended(image, drawn, opacity, level)


def _word(text: str, image: Image, disc: Disc, width: float, place: tuple[float, float]) -> Image:
    """Return a word, 0 to 255, as wide as a multiple of the disc's radius, in its place."""
    font = cv2.FONT_HERSHEY_SIMPLEX
    (wide, high), _ = cv2.getTextSize(text, font, 1.0, 2)
    scale = width * disc.radius / wide
    corner = (round(place[0] - width * disc.radius / 2), round(place[1] + scale * high / 2))
    drawn = np.zeros(image.shape[:2], np.uint8)
    cv2.putText(drawn, text, corner, font, scale, 255, max(1, round(3 * scale)), cv2.LINE_AA)
    return drawn


def _blended(image: Image, drawn: Image, opacity: float, level: int) -> Image:
    share = (drawn * np.float32(opacity / 255))[..., None]
    return np.asarray(np.round(image * (1 - share) + level * share), np.uint8)


ALTERATIONS: dict[str, Alter] = {
    "none": lambda image, disc: image,
    **{f"light x {light}": partial(lit, light) for light in (0.3, 0.2, 0.1, 0.05, 2.0, 3.0, 4.0)},
    **{f"enlarged from {diameter} pixels": partial(enlarged, diameter) for diameter in (200, 150, 110)},
    **{f"focus lost by {sigma}": partial(out_of_focus, sigma) for sigma in (1, 2, 3)},
    **{
        f"{name}, {colour}, {opacity}": partial(draw, opacity, level)
        for name, draw in (("letters", lettered), ("logo", with_logo))
        for colour, level in (("white", 255), ("black", 0))
        for opacity in (0.2, 0.4, 0.6)
    },
}


class Counted:
    """What came of the pictures of a dataset in one alteration."""

    def __init__(self) -> None:
        self.codes: Counter[str] = Counter()
        self.doubted = 0
        self.dice: list[float] = []

    def add(self, codes: list[str], dice: float | None) -> None:
        """Take in a picture's warnings, and the Dice of its map."""
        self.codes.update(codes)
        self.doubted += bool(codes)
        if dice is not None:
            self.dice.append(dice)


def judged(
    labelled: LabelledImage, image: Image, segmenter: Segmenter | None
) -> tuple[list[str], float | None]:
    """Return the codes of an altered picture's warnings, and the Dice of its map if there is a model."""
    try:
        if segmenter is None:
            retina = find_retina(image)
            return [
                one.code for one in (*retina.warnings, *picture_warnings(picture_of(image, retina)))
            ], None
        result = segmenter(image, field_of_view=labelled.field_of_view)
    except ImageError:
        return [REFUSED], None
    found, truth = result.vessels & labelled.fov, labelled.truth & labelled.fov
    dice = 2 * np.count_nonzero(found & truth) / (np.count_nonzero(found) + np.count_nonzero(truth))
    return [one.code for one in result.warnings], dice


def count(
    images: Iterable[LabelledImage], segmenter: Segmenter | None, names: list[str]
) -> dict[str, Counted]:
    """Count the warnings of all images in each alteration."""
    counted = {name: Counted() for name in names}
    for labelled in images:
        disc = find_retina(labelled.image).disc
        for name in names:
            counted[name].add(*judged(labelled, ALTERATIONS[name](labelled.image, disc), segmenter))
    return counted


def table(counted: dict[str, Counted]) -> str:
    """Give the counts as Markdown."""
    dice = any(one.dice for one in counted.values())
    rows = [
        f"| picture | doubted | {'Dice | ' if dice else ''}warnings |",
        f"| --- | ---: | {'---: | ' if dice else ''}--- |",
    ]
    for name, one in counted.items():
        mean = f"{np.mean(one.dice):.3f} | " if one.dice else "| " if dice else ""
        codes = ", ".join(f"`{code}` {number}" for code, number in one.codes.most_common())
        rows.append(f"| {name} | {one.doubted} | {mean}{codes} |")
    return "\n".join(rows)


def _run(options: argparse.Namespace) -> int:
    names = [name for name in ALTERATIONS if name == "none" or options.of in name]
    segmenter = Segmenter(options.model) if options.model else None
    for folder in options.data:
        dataset = find_dataset(folder, ALL)
        samples = dataset.samples[:: options.every]
        bar = tqdm(samples, dataset.name, unit="image", disable=not sys.stderr.isatty())
        counted = count(map(load_labelled, bar), segmenter, names)
        print(f"\n{dataset.name}, {len(samples)} images\n\n{table(counted)}", flush=True)
    return DONE


def main(words: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = CommandParser(prog="doubts.py", description="Count which altered pictures are doubted.")
    parser.add_argument("data", nargs="+", help="folders of datasets")
    parser.add_argument(
        "--model", metavar="MODEL", help="also count the doubts about its maps, and their Dice"
    )
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="take each N-th image (default: all)"
    )
    parser.add_argument("--of", default="", metavar="WORD", help="alterations with this word, and none")
    return run_command("doubts.py", lambda: _run(parser.parse_args(words)))


if __name__ == "__main__":
    sys.exit(main())
