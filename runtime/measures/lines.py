"""Lines through points, many at once: smoothed, resampled and measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True)
class Lines:
    """S lines of N points in all, one line after the other.

    Attributes
    ----------
    offsets : (S + 1,) int array
        The number of each line's first point; the last is N.
    """

    offsets: Ints

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def of_points(self) -> Ints:
        """Return the number of each point's line, (N,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def ends(self) -> tuple[Ints, Ints]:
        """Return the numbers of each line's first and last point, (S,) each."""
        return self.offsets[:-1], self.offsets[1:] - 1

    def places(self) -> tuple[Ints, Ints]:
        """Return how many points lie between each point and the start and the end of its line, (N,) each."""
        return self._places

    @cached_property
    def _places(self) -> tuple[Ints, Ints]:
        number, sizes = np.arange(self.offsets[-1]), np.diff(self.offsets)
        first, last = self.ends()
        return number - np.repeat(first, sizes), np.repeat(last, sizes) - number

    def smoothed(self, values: Floats, half_width: int, times: int = 1) -> Floats:
        """Return (N,) or (N, 2) values after moving averages of ``2 * half_width + 1`` points.

        Near an end an average takes in as many points as are left on the shorter side, so that ends stay.
        """
        before, after = self.places()
        half = np.minimum(np.minimum(before, after), half_width)
        number = np.arange(len(values))
        low, high = number - half, number + half + 1
        count = (high - low).astype(np.float64)
        columns = values.T  # two rows of N take a fraction of the time of N rows of two
        for _ in range(times):
            sums = np.zeros((*columns.shape[:-1], len(values) + 1))
            np.cumsum(columns, axis=-1, out=sums[..., 1:])
            columns = (sums.take(high, axis=-1) - sums.take(low, axis=-1)) / count
        return np.asarray(columns.T)

    def twice_smoothed(self, values: Floats, half_width: int, times: int = 1) -> Floats:
        """Return values smoothed, and what that took away smoothed and added again.

        "Twicing" flattens bends far less than smoothing does, for a little more of the noise.

        References
        ----------
        J. W. Tukey, "Exploratory Data Analysis", Addison-Wesley, 1977, chapter 16.
        """
        smooth = self.smoothed(values, half_width, times)
        return smooth + self.smoothed(values - smooth, half_width, times)

    def normals(self, points: Floats) -> Floats:
        """Return the unit normals of lines through (N, 2) points, (N, 2).

        They are perpendicular to the difference of the points up to two places before and after.
        """
        before, after = self.places()
        number = np.arange(len(points))
        ahead, behind = number + np.minimum(after, 2), number - np.minimum(before, 2)
        x, y = (column.take(ahead) - column.take(behind) for column in points.T)
        length = np.maximum(norms(x, y), 1e-9)
        return np.asarray(np.stack([-y / length, x / length]).T)

    def steps(self, points: Floats) -> Floats:
        """Return the distance of each of (N, 2) points to the one before, (N,); 0 for the first of a line."""
        steps = np.zeros(len(points))
        steps[1:] = norms(*(np.diff(column) for column in points.T))
        steps[self.offsets[:-1]] = 0
        return steps

    def sums(self, values: NDArray[np.floating | np.bool_]) -> Floats:
        """Return the sum of (N,) values over each line, (S,)."""
        totals = np.zeros(len(values) + 1)
        np.cumsum(values, out=totals[1:])
        return totals[self.offsets[1:]] - totals[self.offsets[:-1]]

    def resampled(self, points: Floats, *values: Floats, spacing: float) -> tuple[Lines, list[Floats]]:
        """Return lines of evenly spaced points, and what was interpolated at them.

        Parameters
        ----------
        points : (N, 2) array
        *values : (N,) arrays
            To be interpolated linearly along the lines.
        spacing : float
            Distance of the new points, about: each line is divided evenly.

        Returns
        -------
        lines : Lines
            Of M points.
        interpolated : list of (M,) arrays
            One for each of `values`.
        """
        if not len(self):
            return self, list(values)
        steps = self.steps(points)
        along = np.cumsum(steps) + self.of_points()  # a gap of 1 between lines
        first, last = (along[number] for number in self.ends())
        parts = np.maximum(np.rint((last - first) / spacing), 1).astype(np.intp)
        lines = Lines(np.concatenate([[0], np.cumsum(parts + 1)]))
        before, _ = lines.places()
        share = before / np.repeat(parts, parts + 1)
        where = np.repeat(first, parts + 1) + share * np.repeat(last - first, parts + 1)
        return lines, [np.interp(where, along, value) for value in values]


def norms(x: Floats, y: Floats) -> Floats:
    """Return the lengths of vectors (x, y), (N,): what `numpy.hypot` gives, but for its care of overflow."""
    return np.asarray(np.sqrt(x * x + y * y))
