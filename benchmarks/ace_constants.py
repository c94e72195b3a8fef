"""Where the constants of ACE's kernel come from. docs/ace.md quotes these tables.

    python benchmarks/ace_constants.py shares       fit the shares of the pyramid's blurs, beside the kernel's
    python benchmarks/ace_constants.py weights      compare the weights of rows and columns with other choices
    python benchmarks/ace_constants.py terms        errors by alpha and number of products
    python benchmarks/ace_constants.py overshoot    how far R exceeds the bound of its definition

All but ``overshoot``, which runs the kernel, need only numpy. Each takes less than a minute.
"""

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

KERNEL = Path(__file__).parents[1] / "ace_ext"
SIDES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)  # of a block, in pixels

Array = NDArray[np.float64]

# ---- shares ----

BLUR = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
PYRAMID_LEVELS = 10
REACH = 16  # blocks: the first two blurs have ended there, and with them what is fitted
PERIOD = 8  # a block's response depends on its place in the coarser levels; places modulo this are averaged
OWN_WEIGHT = 2**0.5  # of a block's own cell, at distance 0: that of a diagonal neighbour


def response(place: int, level: int, reach: int) -> Array:
    """Return what a level of the pyramid makes of a block, along one axis, seen from the finest level."""
    padding = reach + 8 * 2**level
    start = -(-padding // 2**level) * 2**level + place
    values = np.zeros(2 * start + 2**level)
    values[start] = 1
    for _ in range(level):
        values = np.convolve(values, BLUR, "same")[::2]
    values = np.convolve(values, BLUR, "same")
    for _ in range(level):
        spread = np.zeros(2 * len(values))
        spread[::2] = values
        values = np.convolve(spread, 2 * BLUR, "same")
    return values[start - reach : start + reach + 1]


def interpolated(values: Array) -> Array:
    """Average an axis over the pixels of blocks, between the centres of which the kernel interpolates.

    A pixel is a quarter of a block away from its centre, on average, so each neighbour contributes 1/8.
    """
    return 0.75 * values[1:-1] + 0.125 * (values[:-2] + values[2:])


def mean_inverse_distance(side: int) -> Array:
    """Return side / d, averaged over the pairs of pixels of two blocks, by the offset between the blocks."""
    shift = np.arange(1 - side, side)
    pairs = (side - np.abs(shift)) / side**2
    result = np.empty((REACH + 1, REACH + 1))
    for y in range(REACH + 1):
        for x in range(REACH + 1):
            distance = np.hypot((y * side + shift)[:, None], x * side + shift)
            inverse = np.divide(1, distance, out=np.zeros_like(distance), where=distance > 0)
            result[y, x] = side * pairs @ inverse @ pairs
    offset = np.abs(np.arange(-REACH, REACH + 1))
    return result[offset[:, None], offset]


def third_share() -> float:
    """Return 4 c with c = 2 pi ln 2 / E[1/|X|], X distributed as a far blur in units of its level."""
    level = 5
    reach = 4 * 2**level
    blur = np.mean([response(place, level, reach) for place in range(2**level)], axis=0)
    offset = np.arange(-reach, reach + 1)
    distance = np.hypot(offset[:, None], offset)
    # The mean of 1/d over a pixel about its own centre is 4 ln(1 + sqrt 2).
    inverse = np.divide(1, distance, out=np.full_like(distance, 4 * np.log(1 + 2**0.5)), where=distance > 0)
    return float(2 * np.pi * np.log(2) / (blur @ inverse @ blur) / 2 ** (level - 2))


@dataclass(frozen=True)
class Fit:
    """Normal equations for the shares of a block's own cell and of the first two blurs."""

    matrix: Array
    right: Array
    square: float

    def best(self) -> Array:
        """Return the shares with the smallest error."""
        return np.linalg.solve(self.matrix, self.right)

    def error(self, shares: Array) -> float:
        """Return the root of the weighted sum of squared errors."""
        return float(np.sqrt(shares @ self.matrix @ shares - 2 * shares @ self.right + self.square))


def fit(side: int, third: float) -> Fit:
    """Set up the fit for a size of block: errors weighted by distance, over all places of a block."""
    own = np.zeros(2 * REACH + 3)
    own[REACH + 1] = 1
    axes = [[response(place, level, REACH + 1) for level in range(PYRAMID_LEVELS)] for place in range(PERIOD)]
    change = interpolated if side > 1 else (lambda values: values[1:-1])
    own = change(own)
    axes = [[change(level) for level in place] for place in axes]
    offset = np.arange(-REACH, REACH + 1)
    weight = np.hypot(offset[:, None], offset)
    weight[weight > REACH] = 0
    weight[REACH, REACH] = OWN_WEIGHT
    target = mean_inverse_distance(side)
    matrix, right, square = np.zeros((3, 3)), np.zeros(3), 0.0
    for rows in axes:
        for columns in axes:
            blurs = [np.outer(row, column) for row, column in zip(rows, columns, strict=True)]
            far = sum(third * 2 ** (level - 2) * blurs[level] for level in range(2, PYRAMID_LEVELS))
            rest = target - far - third * 2 ** (PYRAMID_LEVELS - 3) * blurs[-1]  # the last counts twice
            terms = np.stack([np.outer(own, own), blurs[0], blurs[1]])
            matrix += np.einsum("ayx,yx,byx->ab", terms, weight, terms)
            right += np.einsum("ayx,yx,yx->a", terms, weight, rest)
            square += float((weight * rest**2).sum())
    return Fit(matrix, right, square)


def kernel_shares() -> dict[int, Array]:
    """Return the table of ace.c: side of a block to its three shares."""
    source = (KERNEL / "ace.c").read_text()
    number = r"(-?[\d.]+)f"
    rows = re.findall(rf"\{{(\w+), \d, \d, {number}, {number}, {number}\}}", source)
    return {32 if row[0] == "MAX_SIDE" else int(row[0]): np.array(row[1:], float) for row in rows}


def kernel_third() -> float:
    """Return THIRD_SHARE of ace_pyramid.inc.h."""
    found = re.search(r"#define THIRD_SHARE ([\d.]+)f", (KERNEL / "ace_pyramid.inc.h").read_text())
    assert found
    return float(found[1])


def print_shares() -> None:
    third = kernel_third()
    print(f"Third share: {third_share():.2f}; the kernel's: {third}\n")
    print("| block | fitted | the kernel's | excess error of the kernel's |")
    print("| ---: | --- | --- | ---: |")
    committed = kernel_shares()
    for side in SIDES:
        equations = fit(side, third)
        best, used = equations.best(), committed[side]
        excess = equations.error(used) / equations.error(best) - 1
        cells = [" ".join(f"{value:.3f}" for value in shares) for shares in (best, used)]
        print(f"| {side} | {cells[0]} | {cells[1]} | {100 * excess:.3f} % |")


# ---- the expansion ----

GREY_LEVELS = 256
LANES, TERMS = 8, 7  # of a group


@dataclass(frozen=True)
class Choice:
    """Weights of levels and number of steps; by default the kernel's."""

    column_share: float = 0.9
    row_share: float = 0.4
    row_even: float = 0.3
    row_extreme: float = 0.15  # each
    iterations: int = 2


def slope_matrix(alpha: float) -> Array:
    level = np.arange(GREY_LEVELS) / (GREY_LEVELS - 1)
    return np.clip(alpha * (level[:, None] - level), -1, 1)


def orthonormal(lanes: Array, weight: Array) -> Array:
    """Orthonormalize lanes under a weight, each against those before it; a dependent one becomes 0."""
    result = np.zeros_like(lanes)
    for k in range(lanes.shape[1]):
        lane = lanes[:, k] if k else np.ones(len(lanes))
        before = weight @ lane**2
        for _ in range(2):
            lane = lane - result[:, :k] @ (result[:, :k].T @ (weight * lane))
        if weight @ lane**2 > 1e-9 * before:
            result[:, k] = lane / np.sqrt(weight @ lane**2)
    return result


def expansion(image: NDArray[np.uint8], alpha: float, groups: int, choice: Choice) -> tuple[Array, Array]:
    """Return f and g, (levels, terms + 1) each, as `expand` in ace_slope.inc.h finds them."""
    histogram = np.bincount(image.ravel(), minlength=GREY_LEVELS)
    share, even = histogram / histogram.sum(), (histogram > 0) / np.count_nonzero(histogram)
    column = choice.column_share * share + (1 - choice.column_share) * even
    row = choice.row_share * share + choice.row_even * even
    row[image.min()] += choice.row_extreme
    row[image.max()] += choice.row_extreme
    rank = 2 * (np.cumsum(column) - column) + column - 1
    matrix = slope_matrix(alpha)
    g = np.polynomial.chebyshev.chebvander(rank, groups * TERMS)
    g = orthonormal(g, column)
    for _ in range(choice.iterations):
        g = orthonormal(matrix @ (row[:, None] * (matrix @ (column[:, None] * g))), column)
    return matrix @ (column[:, None] * g), g


def averages(values: Array) -> Array:
    """Return planes (N, H, W) averaged with weights 1/d, each pixel without itself."""
    height, width = values.shape[1:]
    y, x = (np.minimum(np.arange(2 * side), 2 * side - np.arange(2 * side)) for side in (height, width))
    distance = np.hypot(y[:, None], x)
    kernel = np.divide(1, distance, out=np.zeros_like(distance), where=distance > 0)
    spectrum = np.fft.rfft2(kernel)
    planes = np.concatenate([values, np.ones((1, height, width))])
    sums = np.fft.irfft2(np.fft.rfft2(planes, kernel.shape) * spectrum, kernel.shape)[:, :height, :width]
    return sums[:-1] / sums[-1]


def stretched(values: Array) -> Array:
    return 255 * (values - values.min()) / (values.max() - values.min())


def exact(image: NDArray[np.uint8], alpha: float) -> Array:
    levels = np.unique(image)
    means = averages(slope_matrix(alpha)[levels][:, image])
    return np.take_along_axis(means, np.searchsorted(levels, image)[None], 0)[0]


def expanded(image: NDArray[np.uint8], alpha: float, groups: int, choice: Choice) -> Array:
    f, g = expansion(image, alpha, groups, choice)
    return np.einsum("yxk,kyx->yx", f[image], averages(g.T[:, image]))


def hard_images(side: int = 96) -> dict[str, NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    noise = rng.integers(0, 256, (side, side))
    retina = (
        90 - 0.02 * np.hypot(y - 40, x - 30) ** 1.7 + 12 * np.sin(x / 3 + y / 7) + rng.normal(0, 3, x.shape)
    )
    images = {
        "noise": noise,
        "ramp": x * 255 // (side - 1),
        "step edge": np.where(x < side // 2, 50, 200),
        "checkerboard": (x // 4 + y // 4) % 2 * 200 + 20,
        "few bright pixels": np.where(noise == 7, 255, 30),
        "one bright pixel": np.where((x == 30) & (y == 40), 255, 40 + noise % 8),
        "retina": np.where(
            np.hypot(y - side / 2, x - side / 2) < side / 2 - 2, retina.clip(5, 255), noise % 3
        ),
    }
    return {name: image.astype(np.uint8) for name, image in images.items()}


def levels_apart(alphas: dict[float, int], choice: Choice, side: int = 96) -> tuple[float, float]:
    """Return the largest and the mean error in grey levels over the hard images; alphas to groups."""
    found = []
    for alpha, groups in alphas.items():
        for image in hard_images(side).values():
            reference = stretched(exact(image, alpha))
            found.append(np.abs(stretched(expanded(image, alpha, groups, choice)) - reference))
    return max(float(error.max()) for error in found), float(np.mean(found))


def print_weights() -> None:
    kernel = Choice()
    choices = {
        "the kernel's: columns 0.9, rows 0.4 / 0.3 / 2 x 0.15, 2 steps": kernel,
        "columns by the histogram alone": replace(kernel, column_share=1.0),
        "columns even": replace(kernel, column_share=0.0),
        "rows by the histogram alone": replace(kernel, row_share=1.0, row_even=0.0, row_extreme=0.0),
        "rows even": replace(kernel, row_share=0.0, row_even=1.0, row_extreme=0.0),
        "rows without extremes": replace(kernel, row_share=0.6, row_even=0.4, row_extreme=0.0),
        "0 steps": replace(kernel, iterations=0),
        "1 step": replace(kernel, iterations=1),
        "3 steps": replace(kernel, iterations=3),
    }
    print("| weights, alpha 5 and 10 | largest | mean |\n| --- | ---: | ---: |")
    for name, choice in choices.items():
        largest, mean = levels_apart({5.0: 1, 10.0: 1}, choice)
        print(f"| {name} | {largest:.2f} | {mean:.3f} |")


def print_terms() -> None:
    print("| alpha | 8 products | 16 | 24 |\n| ---: | ---: | ---: | ---: |")
    for alpha in (1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 25.0, 40.0, 80.0, 255.0):
        cells = [f"{levels_apart({alpha: groups}, Choice())[0]:.2f}" for groups in (1, 2, 3)]
        print(f"| {alpha:g} | " + " | ".join(cells) + " |")


# ---- overshoot ----


def provoking_images(side: int, histograms: int) -> Iterator[NDArray[np.uint8]]:
    """Yield images of sparse, uneven, spiked and clustered histograms, in several arrangements."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    arrangements = (
        np.argsort(np.hypot(y, x), axis=None),
        np.argsort(y // 12 * 100 + x // 12, axis=None, kind="stable"),
        rng.permutation(side * side),
    )
    level = np.arange(GREY_LEVELS)
    for number in range(histograms):
        histogram = np.zeros(GREY_LEVELS)
        if number % 4 == 0:
            count = rng.integers(2, 40)
            histogram[rng.integers(0, GREY_LEVELS, count)] = 10 ** rng.uniform(0, 6, count)
        elif number % 4 == 1:
            histogram = 10 ** rng.uniform(0, 6, GREY_LEVELS)
        elif number % 4 == 2:
            histogram[rng.integers(0, GREY_LEVELS)] = 1e4
            histogram += rng.random(GREY_LEVELS) < rng.uniform(0.02, 1)
        else:
            for centre in rng.integers(0, GREY_LEVELS, 3):
                histogram += 1e6 * np.exp(-0.5 * ((level - centre) / rng.uniform(1, 10)) ** 2)
            histogram += rng.random(GREY_LEVELS) < 0.1
        counts = np.maximum(np.round(histogram / histogram.sum() * side * side), histogram > 0).astype(int)
        for levels in (level, rng.permutation(GREY_LEVELS)):
            values = np.resize(np.repeat(levels, counts[levels]), side * side)
            for arrangement in arrangements:
                image = np.empty(side * side, np.uint8)
                image[arrangement] = values
                yield image.reshape(side, side, 1)


def overshoot(alpha: float, histograms: int = 60) -> float:
    """Return the largest |R| of the kernel divided by min(1, contrast), the bound of the exact |R|."""
    from retinagan.ace_ext import Workspace, _ace

    workspace, range_ = Workspace(), np.empty((1, 2))
    largest = 0.0
    for image in provoking_images(120, histograms):
        contrast = alpha * (int(image.max()) - int(image.min())) / (GREY_LEVELS - 1)
        if contrast > 0:
            _ace.equalize(image, None, alpha, 1, workspace, np.empty_like(image), range_)
            largest = max(largest, float(np.abs(range_).max()) / min(1.0, contrast))
    return largest


def print_overshoot() -> None:
    print("| alpha | largest R / min(1, contrast) |\n| ---: | ---: |")
    for alpha in (1.0, 5.0, 10.0, 25.0, 60.0, 255.0):
        print(f"| {alpha:g} | {overshoot(alpha):.3f} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = {
        "shares": print_shares,
        "weights": print_weights,
        "terms": print_terms,
        "overshoot": print_overshoot,
    }
    parser.add_argument("what", choices=commands)
    commands[parser.parse_args().what]()


if __name__ == "__main__":
    main()
