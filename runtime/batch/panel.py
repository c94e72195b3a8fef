"""The panel: an image, its equalized image, the probability and the overlay side by side, for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, features

from retinagan.runtime.batch.coloring import Coloring, viridis
from retinagan.runtime.batch.ruler import Ruler
from retinagan.runtime.errors import OptionError
from retinagan.runtime.steps.prepare import Prepared

_LONGEST, _SHORTEST = 1024, 384  # pixels of a picture's longer side: larger images shrink, smaller ones grow
_TEXT_SHARE = 1 / 34  # of that side
_COLUMN = 21  # heights of a letter that a column is wide at least, so that what is said fits
_BACKGROUND, _INK, _FAINT, _ALARM = (255, 255, 255), (30, 30, 30), (95, 95, 95), (170, 0, 0)

_Pixel = TypeVar("_Pixel", np.uint8, np.float32)


@dataclass(frozen=True, eq=False)
class PanelParts:
    """What a panel shows of an image of H x W pixels.

    Attributes
    ----------
    image : (H, W, 3) uint8 array
        RGB.
    prepared : Prepared
        Has the equalized square and its place in the image.
    equalization : str
        The method, such as "ace", or "none".
    probability : (H, W) float32 array
    roi : (H, W) bool array
    overlay : (H, W, 3) uint8 array
        RGB.
    ruler : Ruler
        For the scale bar; there is none where it is in pixels.
    coloring : Coloring or None
        What colours the overlay's vessels, if they are not all alike.
    facts : str
        What computed the maps.
    doubts : str
        Warnings, as sentences; empty if there are none.
    """

    image: NDArray[np.uint8]
    prepared: Prepared
    equalization: str
    probability: NDArray[np.float32]
    roi: NDArray[np.bool_]
    overlay: NDArray[np.uint8]
    ruler: Ruler
    coloring: Coloring | None
    facts: str
    doubts: str


def require_letters() -> None:
    """Refuse a Pillow that cannot write.

    Raises
    ------
    OptionError
        If it was built without FreeType.
    """
    if not features.check("freetype2"):
        raise OptionError(
            "--save panel: this Pillow was built without FreeType, which writes the captions; type  "
            "pip install --force-reinstall Pillow"
        )


def draw_panel(parts: PanelParts) -> NDArray[np.uint8]:
    """Draw a panel, (h, w, 3) uint8 RGB: four pictures in a row, their legends, and what computed them.

    Pictures have the image's shape, and 384 to 1024 pixels on their longer side.
    """
    height, width = parts.roi.shape
    scale = min(max(1.0, _SHORTEST / max(height, width)), _LONGEST / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    sheet = _Sheet(size, scale, columns=4)
    titles = {"ace": "Equalized (ACE)", "clahe": "Equalized (CLAHE)"}
    by = "Vessels" if parts.coloring is None else f"Vessels by {parts.coloring.name.partition(' ')[0]}"
    sheet.picture(0, "Photograph", _resized(parts.image, size))
    sheet.picture(1, titles.get(parts.equalization, "Not equalized"), _equalized(parts.prepared, size))
    probability = Coloring(_resized(parts.probability, size), 0.0, 1.0, "probability")
    inside = cv2.resize(parts.roi.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    colors = np.where(inside[..., None] != 0, probability.colors(), np.uint8(0))
    sheet.picture(2, "Probability", colors)
    sheet.picture(3, by, _resized(parts.overlay, size))
    if parts.ruler.unit != "pixels":
        sheet.scale_bar(0, parts.ruler)
    sheet.legend(2, probability)
    if parts.coloring is not None:
        sheet.legend(3, parts.coloring)
    return sheet.finished([(parts.facts, _FAINT), (parts.doubts and f"Warning: {parts.doubts}", _ALARM)])


def _resized(picture: NDArray[_Pixel], size: tuple[int, int]) -> NDArray[_Pixel]:
    method = cv2.INTER_AREA if size[0] < picture.shape[1] else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(picture, size, interpolation=method), picture.dtype)


def _equalized(prepared: Prepared, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the equalized square in its place in the image, which is resized to (width, height)."""
    crop = prepared.crop
    scale = size[0] / crop.width
    side = max(1, round(crop.side * scale))
    square = cv2.resize(
        prepared.image,
        (side, side),
        interpolation=cv2.INTER_AREA if side < crop.working_size else cv2.INTER_LINEAR,
    )
    left, top = round(crop.left * scale), round(crop.top * scale)
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    rows = slice(max(0, top), min(size[1], top + side))
    columns = slice(max(0, left), min(size[0], left + side))
    picture[rows, columns] = square[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]
    return picture


class _Sheet:
    """A white sheet with columns of pictures, each with a title above and a legend below."""

    def __init__(self, size: tuple[int, int], scale: float, columns: int) -> None:
        self._letter = max(13, round(max(size) * _TEXT_SHARE))
        self._size, self._scale = size, scale
        self._column = max(size[0], _COLUMN * self._letter)
        self._top = round(2.6 * self._letter)
        self._below = self._top + size[1] + self._letter // 2
        self._width = (columns + 1) * self._letter + columns * self._column
        self._image = Image.new("RGB", (self._width, self._below + 3 * self._letter), _BACKGROUND)
        self._draw = ImageDraw.Draw(self._image)
        self._font = ImageFont.load_default(self._letter)
        self._small = ImageFont.load_default(0.8 * self._letter)

    def picture(self, column: int, title: str, picture: NDArray[np.uint8]) -> None:
        """Put a picture of the sheet's size, RGB, into a column."""
        left = self._left(column)
        self._draw.text((left, self._letter), title, _INK, self._font)
        self._image.paste(Image.fromarray(picture), (left, self._top))

    def scale_bar(self, column: int, ruler: Ruler) -> None:
        """Draw a scale bar below a picture, and what it rests on."""
        pixels, length = ruler.bar(self._size[0] / self._scale / 3)
        left, right = self._left(column), self._left(column) + max(1, round(pixels * self._scale)) - 1
        thick = max(2, self._letter // 8)
        middle = self._below + self._letter // 2
        self._draw.rectangle((left, middle - thick // 2, right, middle - thick // 2 + thick - 1), _INK)
        for end in (left, right - thick + 1):
            self._draw.rectangle((end, self._below, end + thick - 1, self._below + self._letter), _INK)
        unit = ruler.unit.removesuffix("s") if length == 1 else ruler.unit
        self._draw.text((right + self._letter // 2, self._below), f"{length:g} {unit}", _INK, self._font)
        self._note(column, ruler.basis)

    def legend(self, column: int, coloring: Coloring) -> None:
        """Draw a bar of colours below a picture, with the values of its ends, and what they are."""
        left, height = self._left(column), self._letter
        low, high = f"{coloring.low:.3g}", f"{coloring.high:.3g}{coloring.beyond}"
        self._draw.text((left, self._below), low, _INK, self._font)
        left += round(self._draw.textlength(low, self._font)) + height // 2
        levels = np.linspace(0, 255, 8 * height).astype(np.uint8)
        bar = viridis(np.repeat(levels[None], height, axis=0))
        self._image.paste(Image.fromarray(bar), (left, self._below))
        self._draw.text((left + 8 * height + height // 2, self._below), high, _INK, self._font)
        self._note(column, coloring.name)

    def finished(self, notes: Sequence[tuple[str, tuple[int, int, int]]]) -> NDArray[np.uint8]:
        """Return the sheet with these notes at its foot, each in its colour."""
        width = self._width - 2 * self._letter
        lines = [(line, ink) for text, ink in notes for line in _lines(text, width, self._length)]
        high = round(1.1 * self._letter)
        foot = self._image.height
        whole = Image.new("RGB", (self._width, foot + high * len(lines) + self._letter), _BACKGROUND)
        whole.paste(self._image)
        draw = ImageDraw.Draw(whole)
        for number, (line, ink) in enumerate(lines):
            draw.text((self._letter, foot + number * high), line, ink, self._small)
        return np.asarray(whole)

    def _left(self, column: int) -> int:
        return self._letter + column * (self._column + self._letter)

    def _length(self, text: str) -> float:
        return self._draw.textlength(text, self._small)

    def _note(self, column: int, text: str) -> None:
        self._draw.text((self._left(column), self._below + 1.4 * self._letter), text, _FAINT, self._small)


def _lines(text: str, width: int, length: Callable[[str], float]) -> list[str]:
    """Break a text at spaces into lines that are no longer than `width`, single words apart."""
    lines: list[str] = []
    for word in text.split():
        if lines and length(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
