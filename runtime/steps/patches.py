"""Cut the working square into patches and regroup them, blended where they overlap."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.parameters import Tiling


@dataclass(frozen=True)
class PatchGrid:
    """A square of `size` pixels covered by square patches of `side` pixels, row by row.

    If `side` and `overlap` do not fill the square evenly, the last patch of each row and column is shifted
    inward, so that every patch lies inside the square.

    Parameters
    ----------
    size : int
        Side of the square in pixels.
    side : int
        Side of a patch in pixels. A patch larger than the square is padded with 0.
    overlap : float
        Overlap of neighbouring patches as a share of their side, 0 to 0.9.

    Raises
    ------
    ModelError
        If `side` or `overlap` is out of range.
    """

    size: int
    side: int
    overlap: float = 0.0

    def __post_init__(self) -> None:
        if self.side < 1:
            raise ModelError(f"patch side {self.side}; expected a whole number from 1")
        if not 0.0 <= self.overlap <= 0.9:
            raise ModelError(
                f"patch overlap {self.overlap} is out of range; expected 0 to 0.9 of a patch's side"
            )

    @classmethod
    def of(cls, size: int, tiling: Tiling) -> PatchGrid:
        """Return the grid of a square by a spec's tiling; without a patch size the square is the patch.

        Raises
        ------
        ModelError
            If the overlap is out of range.
        """
        return cls(size, tiling.patch or size, tiling.overlap)

    @cached_property
    def starts(self) -> NDArray[np.intp]:
        """First pixels of the patches along either axis, ascending."""
        step = max(1, round(self.side * (1.0 - self.overlap)))
        last = max(self.size - self.side, 0)
        return np.array([*range(0, last, step), last], dtype=np.intp)

    @cached_property
    def origins(self) -> NDArray[np.intp]:
        """Top and left pixel of each patch, (N, 2), row by row."""
        tops, lefts = np.meshgrid(self.starts, self.starts, indexing="ij")
        return np.stack([tops.ravel(), lefts.ravel()], axis=1)

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """Blending weights along one axis, (patches along it, side), summing to one at every pixel.

        They fall linearly towards a patch's border, where a convolution has the least context. They are 1
        where patches do not overlap. The weight at a pixel is the product of its row's and its column's.
        """
        ramp = np.minimum(np.arange(self.side), np.arange(self.side)[::-1]) + 0.5
        total = np.zeros(self.size)
        for start in self.starts:
            total[start : start + self.side] += ramp
        return np.stack([ramp / total[start : start + self.side] for start in self.starts])

    def __len__(self) -> int:
        """Return the number of patches."""
        return len(self.starts) ** 2

    def with_roi(self, roi: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Return the indices of the patches that hold at least one pixel of `roi`, an (S, S) bool array."""
        return np.flatnonzero(self.split(roi).any(axis=(1, 2)))

    def split(self, array: NDArray[Any], indices: NDArray[np.intp] | None = None) -> NDArray[Any]:
        """Cut an array into its patches.

        Parameters
        ----------
        array : (S, S) or (S, S, C) array
            Any dtype.
        indices : (N,) int array, optional
            The patches to cut; all of them if left out.

        Returns
        -------
        (N, side, side) or (N, side, side, C) array
            Copies, of the same dtype; a view where one patch is the whole square.

        Raises
        ------
        ValueError
            If the array does not have the grid's size.
        """
        if array.shape[:2] != (self.size, self.size):
            raise ValueError(f"got an array of shape {array.shape}; the grid cuts ({self.size}, {self.size})")
        side, origins = self.side, self.origins if indices is None else self.origins[indices]
        if side == self.size and len(origins) == 1:
            return array[None]
        if side > self.size:
            missing = side - self.size
            array = np.pad(array, [(0, missing), (0, missing)] + [(0, 0)] * (array.ndim - 2))
        patches = np.empty((len(origins), side, side, *array.shape[2:]), array.dtype)
        for patch, (top, left) in zip(patches, origins, strict=True):
            patch[...] = array[top : top + side, left : left + side]
        return patches

    def regroup(
        self, patches: NDArray[np.float32], indices: NDArray[np.intp] | None = None
    ) -> NDArray[np.float32]:
        """Put patches back together; where several cover a pixel, take their weighted mean.

        The result of `split` is restored exactly: sums are in float64, whose error is below the resolution
        of float32.

        Parameters
        ----------
        patches : (N, side, side) float32 array
        indices : (N,) int array, optional
            Indices of these patches, as returned by `with_roi`; all patches if left out. Missing patches
            count as 0, which changes no pixel of that ROI.

        Returns
        -------
        (S, S) float32 array
            New; a view of `patches` where one patch covers the square.

        Raises
        ------
        ValueError
            If the number or shape of the patches does not fit the grid.
        """
        chosen = np.arange(len(self)) if indices is None else indices
        expected = (len(chosen), self.side, self.side)
        if patches.shape != expected:
            raise ValueError(f"got patches of shape {patches.shape}; the grid regroups {expected}")
        across = len(self.starts)
        if across * self.side == max(self.size, self.side):  # no pixel in two patches: nothing to blend
            if across == 1:
                return patches[0, : self.size, : self.size] if len(patches) else self._nothing()
            whole = self._nothing()
            for patch, (top, left) in zip(patches, self.origins[chosen], strict=True):
                whole[top : top + self.side, left : left + self.side] = patch
            return whole
        square = np.zeros((self.size, self.size), np.float64)
        for patch, index in zip(patches, chosen, strict=True):
            top, left = self.origins[index]
            weight = np.outer(self.weights[index // across], self.weights[index % across])
            square[top : top + self.side, left : left + self.side] += weight * patch
        return square.astype(np.float32)

    def _nothing(self) -> NDArray[np.float32]:
        return np.zeros((self.size, self.size), np.float32)
