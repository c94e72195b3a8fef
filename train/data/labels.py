"""Read drawn maps by their values: everything but the background is drawn, whatever its value or colour.

Datasets store vessels as 255, 1 or 100, as classes 1 and 2, as red arteries and blue veins, in palettes and
in compressed files, so no single channel or threshold fits all.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.console.wording import say_once
from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.reading import read_image

CLASSES = 16
"""Largest number of values or colours besides the background that count as classes; more are shades."""

_NAMED = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "dark red": (128, 0, 0),
    "dark green": (0, 128, 0),
    "dark blue": (0, 0, 128),
}
_IGNORED = 255  # beside class numbers it marks pixels to be left out
_APART = 16  # values of classes differ by this at least, those of compressed drawings by less
_LISTED = 8
_ALIKE = 16  # a channel's deviation up to which a colour has a name


class LabelError(ImageError):
    """A drawn map cannot be read without guessing; the message names its values."""


@dataclass(frozen=True, eq=False)
class Label:
    """A drawn map.

    Attributes
    ----------
    mask : (H, W) bool
        True for everything but the background.
    mapping : str
        How the values were read, such as ``3 colours: red, blue, green = vessel``.
    plain : bool
        Whether the file has only black and white, so that the mapping need not be printed.
    """

    mask: NDArray[np.bool_]
    mapping: str
    plain: bool


def read_label(path: str | Path, what: str = "vessel", *, area: bool = False) -> Label:
    """Read a drawn map.

    Parameters
    ----------
    path : str or Path
        The file, of any format that `read_image` reads.
    what : str
        What is drawn, named in the mapping.
    area : bool
        Whether it is an area such as a field of view, not lines: it may fill most of the image or all of it,
        so that the background is what is dark, and not what is frequent.

    Raises
    ------
    ImageError
        If the file cannot be read; `LabelError` if its values are ambiguous.
    """
    pixels = read_image(path).pixels
    if area and pixels.ndim == 3:
        pixels = pixels.max(axis=2)
    if area and pixels.min() == pixels.max() > 0:
        return Label(np.ones(pixels.shape[:2], bool), f"1 value: {pixels.max()} = {what}", plain=True)
    return as_label(pixels, what)


def as_label(pixels: NDArray[Any], what: str = "vessel") -> Label:
    """Separate what is drawn from the background.

    Up to 17 values or colours are classes: the darkest value, or the most frequent colour, is the
    background, all others are drawn. More are shades, as compression or smoothing leaves them: those nearer
    to the brightest than to the background are drawn.

    Parameters
    ----------
    pixels : (H, W) or (H, W, 3) uint8 or uint16
        The picture.
    what : str
        What is drawn, for the mapping.

    Raises
    ------
    LabelError
        If there is one value only, or a class that may mean "left out".
    """
    if is_grey(pixels):
        return _grey_label(pixels if pixels.ndim == 2 else pixels[..., 0], what)
    return _colour_label(pixels, what)


def map_values(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Return a map to be scored as probabilities: shades over the full scale, classes as labels are read.

    Parameters
    ----------
    pixels : (H, W) or (H, W, 3) uint8 or uint16
        The map as its file stores it.

    Returns
    -------
    (H, W) float32
        In [0, 1].

    Raises
    ------
    LabelError
        If the map is a photograph, looks inverted, or may hold data of fewer bits than its type.
    """
    if not is_grey(pixels):
        if len(np.unique(_codes(pixels))) > CLASSES + 1:
            raise LabelError("this is a picture in colour; expected a map in grey, or of a few colours")
        return _upright(_colour_label(pixels, "vessel"))
    grey = pixels if pixels.ndim == 2 else pixels[..., 0]
    values, full = values_of(grey), int(np.iinfo(grey.dtype).max)
    if len(values) == 1:
        return np.asarray(grey / np.float32(full), np.float32)  # nothing, or everything, is vessel
    few = len(values) == 2 or (len(values) <= CLASSES + 1 and values[-1] <= CLASSES)
    if few:
        return _upright(_grey_label(grey, "vessel"))
    if full == 65535 and int(values[-1]) in (255, 1023, 4095, 16383):
        bits = int(values[-1]).bit_length()
        raise LabelError(
            f"values from {values[0]} to {values[-1]} in 16 bits may be {bits}-bit probabilities or small "
            f"ones; multiply them so that 65535 is 1, or save them as 8-bit"
        )
    return np.asarray(grey / np.float32(full), np.float32)


def _upright(label: Label) -> NDArray[np.float32]:
    """Return a label as a map of 0 and 1, unless most of it is drawn."""
    share = label.mask.mean()
    if share > 0.5:
        raise LabelError(f"{share:.0%} of it is vessel: the map looks inverted ({label.mapping})")
    return label.mask.astype(np.float32)


def is_grey(pixels: NDArray[Any]) -> bool:
    """Whether a picture has no colour."""
    if pixels.ndim == 2:
        return True
    red, green, blue = (pixels[..., channel] for channel in range(3))
    return bool(np.array_equal(red, green) and np.array_equal(green, blue))


def say_mapping(label: Label) -> None:
    """Print how a label's values were read, on stderr, once for each mapping; nothing for black and white."""
    if not label.plain:
        say_once(f"labels: {label.mapping}")


def values_of(grey: NDArray[Any]) -> NDArray[np.intp]:
    """Return the values of a grey picture, ascending."""
    return np.flatnonzero(np.bincount(grey.ravel(), minlength=1))


def _grey_label(grey: NDArray[Any], what: str) -> Label:
    values = values_of(grey)
    if len(values) == 1:
        raise LabelError(
            f"every pixel has the value {values[0]}: nothing is drawn; if it is drawn in the alpha channel, "
            "flatten the image"
        )
    if not _are_classes(values):
        top = int(np.percentile(grey[grey > values[0]], 99))
        bound = (int(values[0]) + top + 1) // 2
        mapping = f"shades of grey: nearer to the brightest than to the darkest = {what}"
        return Label(grey >= bound, mapping, plain=False)
    background, drawn = int(values[0]), [int(value) for value in values[1:]]
    if len(drawn) > 1 and drawn[-1] == _IGNORED and drawn[-2] <= CLASSES:
        raise LabelError(
            f"values {_list([background, *drawn])}: {_IGNORED} beside class numbers may mean {what} or left "
            f"out; make it 0 or the number of a class"
        )
    mapping = f"{len(values)} values: {background} = background, {_list(drawn)} = {what}"
    return Label(grey > background, mapping, plain=len(drawn) == 1 and drawn[0] in (255, 65535))


def _are_classes(values: NDArray[np.intp]) -> bool:
    """Whether values are few and apart from each other; compression leaves others close to each."""
    if len(values) > CLASSES + 1:
        return False
    if len(values) <= 2 or values[-1] <= CLASSES or (values[-1] == _IGNORED and values[-2] <= CLASSES):
        return True
    return bool(np.diff(values).min() >= _APART)


def _colour_label(pixels: NDArray[Any], what: str) -> Label:
    codes = _codes(pixels)
    colours, counts = np.unique(codes, return_counts=True)
    if len(colours) == 1:
        raise LabelError(f"every pixel is {_name(colours[0], pixels)}: nothing is drawn")
    background = colours[counts.argmax()]
    others = [_channels(code, pixels) for code in colours[: CLASSES + 2] if code != background]
    least = min(np.abs(other - _channels(background, pixels)).max() for other in others)
    if len(colours) > CLASSES + 1 or least < _APART:
        return _shades_of_colour(pixels, background, what)
    drawn = [_name(code, pixels) for code in colours if code != background]
    if background != 0 and 0 in colours:
        raise LabelError(
            f"colours {_list([_name(background, pixels), *drawn])}: both the first and black "
            "may be the background; make the background black"
        )
    mapping = f"{len(drawn)} colour{'s' * (len(drawn) > 1)}: {', '.join(drawn)} = {what}"
    return Label(codes != background, mapping, plain=drawn == ["white"])


def _shades_of_colour(pixels: NDArray[Any], background: int, what: str) -> Label:
    """Read a compressed drawing: pixels far from the background in some channel are drawn."""
    distance = np.abs(pixels.astype(np.int32) - _channels(background, pixels)).max(axis=2)
    top = int(np.percentile(distance[distance > 0], 99))
    bound = (top + 1) // 2
    return Label(distance >= bound, f"shades of colour: far from the background = {what}", plain=False)


def _codes(pixels: NDArray[Any]) -> NDArray[np.int64]:
    """Return each pixel's colour as one number."""
    bits = 8 * pixels.dtype.itemsize
    red, green, blue = (pixels[..., channel].astype(np.int64) for channel in range(3))
    return np.asarray(red << 2 * bits | green << bits | blue, np.int64)


def _channels(code: int, pixels: NDArray[Any]) -> NDArray[np.int64]:
    """Return the three channels of a colour's number."""
    bits = 8 * pixels.dtype.itemsize
    return np.array([int(code) >> 2 * bits, int(code) >> bits, int(code)]) & ((1 << bits) - 1)


def _name(code: int, pixels: NDArray[Any]) -> str:
    colour = tuple(_channels(code, pixels).tolist())
    eight = tuple(channel >> 8 * (pixels.dtype.itemsize - 1) for channel in colour)
    near = (name for name, value in _NAMED.items() if np.abs(np.subtract(value, eight)).max() <= _ALIKE)
    return next(near, f"rgb{colour}")


def _list(items: list[Any]) -> str:
    shown = [str(item) for item in items[:_LISTED]]
    if len(items) > _LISTED:
        return f"{', '.join(shown)}, ..."
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]
