"""Whether drawn vessels are filled, all there, clean, and as wide as those of their image.

What is drawn is compared with the image at one size, whatever the camera: the drawing's outside with its
inside, and the image's strongest lines with those that are drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.green import SIDE, eroded, local_mean
from retinagan.runtime.retina.polarity import strongest_lines
from retinagan.runtime.retina.writing import SMALLEST_SIDE
from retinagan.runtime.steps.picture import Picture
from retinagan.train.data.drawing import SIDES

COVERED = 0.3
"""Share of the strongest lines of a part of the retina below which its vessels are not drawn.

Experts' maps of DRIVE, CHASE_DB1 and HRF cover at least 0.75 in every part, and those of FIVES 0.38.
"""

HOLLOW, DARK_HOLLOW = 0.15, 1.0
"""Share of what is drawn that lies between its lines, and how dark that is compared with the lines.

Between the vessels that experts draw it is at most 0.51 times as dark as in them, in outlines over 1.
"""

BESIDE = 0.55
"""Darkness beside what is drawn compared with that in it. Beside experts' vessels it is at most 0.46."""

BORDER = 0.3
"""Darkness of the border of what is drawn compared with all of it. In experts' maps it is at least 0.38."""

DARKER = 0.8
"""Share of what is drawn that is darker than its surroundings. In experts' maps it is at least 0.84."""

SPARSE = 0.035
"""Share of the retina that is drawn. Experts draw at least 0.05."""

SPECKS, _SPECK = 0.02, 6
"""Share of what is drawn that lies in pieces of fewer pixels. In experts' maps it is at most 0.0003."""

_GROUND = 31
_DRAWN = 102  # of 255: the share from which a pixel is drawn
_GAP = 9
_STRONG, _NEAR = 0.05, 17
_PART, _FEW = 0.404, 0.08
"""Distance of a chord from the centre, in radii, that cuts off a quarter of a disc; and the share of all
strong lines that must lie there."""
_DIRECTIONS = 16

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _View:
    """An image and what is drawn of it, both at the picture's size.

    `darkness` is in grey levels; in an angiogram, whose vessels are bright, it is their brightness.
    """

    darkness: NDArray[np.float32]
    core: Mask
    drawn: NDArray[np.uint8]
    lines: Mask

    @property
    def border(self) -> float:
        """The darkness of the border of what is drawn."""
        inner = cv2.erode(self.drawn, np.ones((3, 3), np.uint8))
        border = self.core & (self.drawn > inner)
        return self.darkness_of(border)

    def darkness_of(self, where: Mask) -> float:
        """Return the darkness somewhere, in units of that of what is drawn."""
        return float(self.darkness[where].mean() / self.darkness[self.core & (self.drawn > 0)].mean())


def extent_fault(picture: Picture, drawn: Mask) -> str:
    """Return that vessels are drawn much too wide, or as outlines; an empty string if they are not.

    Parameters
    ----------
    picture : Picture
        The image, as `picture_of` returns it.
    drawn : (H, W) bool
        The drawn vessels at the image's own size.
    """
    view = _view(picture, drawn)
    if view is None:
        return ""
    if view.border < 0:
        return (
            "the border of what is drawn is brighter than what lies around: draw vessels as wide as they are"
        )
    gap = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_GAP, _GAP))
    between = (cv2.morphologyEx(view.drawn, cv2.MORPH_CLOSE, gap) > view.drawn) & view.core
    if np.count_nonzero(between) < HOLLOW * np.count_nonzero(view.drawn):
        return ""
    if view.darkness_of(between) < DARK_HOLLOW:
        return ""
    return (
        "what lies between the drawn lines is as dark as the lines: vessels are drawn as outlines; fill them"
    )


def drawing_doubts(picture: Picture, drawn: Mask) -> list[str]:
    """Return what is doubtful about drawn vessels: missing ones, specks, or another width than the image's.

    Parameters
    ----------
    picture, drawn
        As for `extent_fault`.
    """
    view = _view(picture, drawn)
    if view is None:
        return []
    return [*_about_number(view, picture), *_about_width(view), *_about_specks(drawn)]


def _about_number(view: _View, picture: Picture) -> Iterator[str]:
    side, share = _least_covered(view)
    if share < COVERED:
        yield (
            f"only {share:.0%} of the image's strongest lines on the {side} are drawn; look whether the map "
            "is complete there"
        )
    density = np.count_nonzero(view.drawn) / np.count_nonzero(picture.roi)
    if density < SPARSE:
        yield f"only {density:.1%} of the retina is drawn as vessel; look whether thin vessels are missing"


def _about_width(view: _View) -> Iterator[str]:
    beside = (cv2.dilate(view.drawn, np.ones((3, 3), np.uint8)) > view.drawn) & view.core
    darkness = view.darkness_of(beside)
    if darkness > BESIDE:
        yield (
            f"beside what is drawn the image is {darkness:.0%} as dark as in it; look whether vessels are "
            "drawn as wide as they are"
        )
    darker = float((view.darkness[view.core & (view.drawn > 0)] > 0).mean())
    if darker < DARKER:
        yield (
            f"{1 - darker:.0%} of what is drawn is no darker than what lies around; look whether vessels are "
            "drawn too wide, in coarse steps, or shifted"
        )
    elif view.border < BORDER:
        yield (
            f"the border of what is drawn is only {view.border:.0%} as dark as all of it; look whether "
            "vessels are drawn too wide"
        )


def _about_specks(drawn: Mask) -> Iterator[str]:
    _, _, pieces, _ = cv2.connectedComponentsWithStats(drawn.view(np.uint8), connectivity=8)
    areas = pieces[1:, cv2.CC_STAT_AREA]
    share = float(areas[areas < _SPECK].sum() / max(1, areas.sum()))
    if share > SPECKS:
        yield f"{share:.0%} of what is drawn lies in specks of fewer than {_SPECK} pixels; erase them"


def _view(picture: Picture, drawn: Mask) -> _View | None:
    """Return the view; None if the image is small or too little is drawn to compare."""
    if picture.crop.side < SMALLEST_SIDE:
        return None
    shown = (picture.crop.cut(np.where(drawn, np.uint8(255), np.uint8(0))) >= _DRAWN) & picture.roi
    core = picture.fine.core > 0
    if not (core & shown).any():
        return None
    green = picture.square[..., 1].astype(np.float32)
    ground = local_mean(green, picture.roi, _GROUND)
    darkness = np.asarray(ground - cv2.GaussianBlur(green, (0, 0), 1.0), np.float32)
    bright = bool(darkness[core & shown].mean() < 0)  # as in angiograms
    return _View(
        -darkness if bright else darkness, core, shown.view(np.uint8), _strong_lines(picture, bright)
    )


def _strong_lines(picture: Picture, bright: bool) -> Mask:
    """Return where the strongest dark or bright lines are, at the picture's size."""
    green, inside = picture.small
    core = eroded(inside, SIDE // 10) > 0
    if not core.any():
        return np.zeros(picture.roi.shape, np.bool_)
    lines = strongest_lines(green)[0 if bright else 1]
    strong = core & (lines >= np.quantile(lines[core], 1 - _STRONG))
    size = (picture.roi.shape[1], picture.roi.shape[0])
    return cv2.resize(strong.view(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0


def _least_covered(view: _View) -> tuple[str, float]:
    """Return the quarter of the disc, cut off by a chord, whose lines are drawn least, and their share."""
    near = cv2.dilate(view.drawn, np.ones((_NEAR, _NEAR), np.uint8)) > 0
    rows, columns = np.nonzero(view.lines)
    covered = near[rows, columns]
    middle = (len(view.drawn) - 1) / 2
    least = ("", 1.0)
    for number in range(_DIRECTIONS):
        angle = 2 * np.pi * number / _DIRECTIONS
        along = ((columns - middle) * np.cos(angle) + (rows - middle) * np.sin(angle)) / (middle + 0.5)
        part = covered[along > _PART]
        if len(part) > _FEW * len(rows) and part.mean() < least[1]:
            least = (SIDES[round(number / 2) % len(SIDES)], float(part.mean()))
    return least
