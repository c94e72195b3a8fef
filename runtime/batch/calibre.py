"""The calibre of vessels: how wide each is at each of its pixels."""

from __future__ import annotations

from itertools import cycle

import cv2
import numpy as np
from numpy.typing import NDArray

_BORDER = 1  # pixels of background around what is thinned, so that no neighbour lies outside


def calibre(vessels: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the width of the vessel that each pixel belongs to.

    That is twice the distance from the nearest pixel of the centre line to the vessel's wall. Digital lines
    have no centre between two pixels, so the width is exact for an odd number of pixels, and one less for an
    even one.

    Parameters
    ----------
    vessels : (H, W) bool array
        True on vessels.

    Returns
    -------
    (H, W) float32 array
        Width in pixels, from 1; 0 outside the vessels.
    """
    widths = np.zeros(vessels.shape, np.float32)
    columns, rows, width, height = cv2.boundingRect(vessels.view(np.uint8))
    if not width:
        return widths
    part = slice(rows, rows + height), slice(columns, columns + width)
    inside = np.pad(vessels[part].view(np.uint8), _BORDER)
    reach = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    on_line = np.pad(centre_line(vessels[part]).view(np.uint8), _BORDER)
    _, nearest = cv2.distanceTransformWithLabels(
        1 - on_line, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    line = on_line != 0
    of_label = np.zeros(int(nearest.max()) + 1, np.float32)
    of_label[nearest[line]] = 2 * reach[line] - 1  # the wall is half a pixel before the next pixel's centre
    inner = slice(_BORDER, -_BORDER)
    np.copyto(widths[part], of_label[nearest[inner, inner]], where=vessels[part])
    return widths


def centre_line(vessels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the vessels thinned to lines of one pixel's width, which keep their connections.

    Parameters
    ----------
    vessels : (H, W) bool array

    Returns
    -------
    (H, W) bool array

    References
    ----------
    Z. Guo and R. W. Hall, "Parallel thinning with two-subiteration algorithms", Communications of the ACM
    32(3), 1989, doi:10.1145/62065.62074: the first of its algorithms.
    """
    inside = np.pad(vessels.view(np.uint8), _BORDER)
    inner = slice(_BORDER, -_BORDER)
    line: NDArray[np.bool_] = _thinned(inside)[inner, inner] != 0
    return line


def _thinned(inside: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Thin an image of 0 and 1 that is 0 at its edge; a new one.

    Only pixels beside the background can go, so that the time follows the length of the walls.
    """
    around, beside = _offsets(inside.shape[1])
    image: NDArray[np.uint8] = inside.copy()
    line = image.reshape(-1)
    known = line ^ np.asarray(cv2.erode(image, _CROSS), np.uint8).reshape(-1)
    wall = np.flatnonzero(known)
    kept = 0  # times in a row that no pixel went
    for stays in cycle(_STAYS):
        byte = np.zeros(len(wall), np.uint8)
        for bit, offset in enumerate(around):
            byte |= line[wall + offset] << np.uint8(bit)
        stay = stays[byte]
        gone, wall = wall[~stay], wall[stay]
        kept = 0 if len(gone) else kept + 1
        if kept == len(_STAYS):
            break
        line[gone] = 0
        laid_bare = (gone[:, None] + beside).reshape(-1)
        laid_bare = np.unique(laid_bare[(line[laid_bare] & ~known[laid_bare]) != 0])
        known[laid_bare] = 1
        wall = np.concatenate([wall, laid_bare])
    return image


_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def _offsets(width: int) -> tuple[list[int], NDArray[np.intp]]:
    """Return the distances to a pixel's eight neighbours, clockwise from the one above, and to the four."""
    around = [-width, 1 - width, 1, width + 1, width, width - 1, -1, -width - 1]
    return around, np.array(around[::2])


def _tables() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the two tables of the algorithm: for each byte of neighbours whether the pixel stays."""
    p2, p3, p4, p5, p6, p7, p8, p9 = np.arange(256) >> np.arange(8)[:, None] & 1 == 1
    runs = sum(np.int8(one) for one in (~p2 & (p3 | p4), ~p4 & (p5 | p6), ~p6 & (p7 | p8), ~p8 & (p9 | p2)))
    pairs = np.minimum(
        sum(np.int8(one) for one in (p9 | p2, p3 | p4, p5 | p6, p7 | p8)),
        sum(np.int8(one) for one in (p2 | p3, p4 | p5, p6 | p7, p8 | p9)),
    )
    removable = (runs == 1) & (pairs >= 2) & (pairs <= 3)
    first = removable & ~((p2 | p3 | ~p5) & p4)
    second = removable & ~((p6 | p7 | ~p9) & p8)
    return ~first, ~second


_STAYS = _tables()
