"""Automatic color equalization (ACE) of numpy images."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinagan.ace_ext import _ace
from retinagan.ace_ext._ace import Workspace

MIN_ALPHA, MAX_ALPHA = 1.0, 255.0
_GREY_LEVELS = 256
_DIRECT_PIXELS = 4096  # up to here direct summation is faster than a convolution for each grey level

Image = NDArray[Any]  # uint8 or float32
Mask = NDArray[np.bool_]


def ace(
    image: Image,
    *,
    alpha: float = 5.0,
    mask: Mask | None = None,
    threads: int = 1,
    workspace: Workspace | None = None,
    out: Image | None = None,
) -> Image:
    """Equalize each channel of an image by ACE, in time proportional to the number of pixels.

    Each pixel is compared with all others, near ones counting more::

        R(p) = sum_j r(I(p) - I(j)) / |p - j|  /  sum_j 1 / |p - j|,    r(x) = clip(alpha x, -1, 1)

    The result is R, stretched from its own minimum and maximum to the whole range. `ace_exact` evaluates the
    sums directly; this function approximates them. For alpha up to 20 the error is at most 2 grey levels on
    photographs, noise, edges and patterns (4 on a smooth ramp only a few pixels high), and at most 0.3 on
    average on fundus photographs. docs/ace.md explains the method and has the measurements.

    Parameters
    ----------
    image : (H, W) or (H, W, C) ndarray of uint8, or of float32 in [0, 1]
        Channels may be in any order: each is equalized independently. Float images are quantized in steps of
        1/2040.
    alpha : float
        Slope of r for intensities in [0, 1], from 1 (gentle) to 255. Above 10 the time doubles, above 25 it
        triples.
    mask : (H, W) ndarray of bool, optional
        The pixels to use, both as p and as j. The others become 0. By default all pixels are used.
    threads : int
        Number of threads, at least 1. More than one is worthwhile from 1024x1024 on. The result does not
        depend on it.
    workspace : Workspace, optional
        Scratch memory to reuse from call to call. By default each call allocates and frees its own.
    out : ndarray, optional
        Array for the result, with the image's shape and dtype, C-contiguous, not overlapping the image.

    Returns
    -------
    ndarray
        The result, with the image's shape and dtype, 0 to 255 or 0 to 1; `out` if that was given. A channel
        with a single grey level becomes 0.

    Raises
    ------
    TypeError
        If the image is neither uint8 nor float32, or the mask is not bool.
    ValueError
        If a shape does not match, the image is empty, a float is outside [0, 1] or not a number, the mask has
        no True pixel, or an option is out of range.
    MemoryError
        If there is not enough memory for the scratch buffers.
    OverflowError
        If the size of a scratch buffer overflows.
    RuntimeError
        If a thread cannot be started.

    References
    ----------
    A. Rizzi, C. Gatta, D. Marini, "A new algorithm for unsupervised global and local color correction",
    Pattern Recognition Letters 24 (2003), doi:10.1016/S0167-8655(02)00323-9.
    P. Getreuer, "Automatic Color Enhancement (ACE) and its Fast Implementation", Image Processing On Line 2
    (2012), doi:10.5201/ipol.2012.g-ace.
    """
    channels, mask = _check(image, alpha, mask)
    if not isinstance(threads, int) or threads < 1:
        raise ValueError(f"threads is {threads!r}, expected an integer of at least 1; the usual value is 1")
    result = np.empty(image.shape, image.dtype) if out is None else _check_out(out, image)
    ranges = np.empty((channels.shape[2], 2))
    inside = None if mask is None else mask.view(np.uint8)
    scratch = Workspace() if workspace is None else workspace
    _ace.equalize(channels, inside, alpha, threads, scratch, result.reshape(channels.shape), ranges)
    return result


def ace_exact(image: Image, *, alpha: float = 5.0, mask: Mask | None = None) -> Image:
    """Equalize each channel of an image by ACE, straight from its definition: the slow reference for `ace`.

    A uint8 image costs one convolution per grey level: seconds for 512x512. A float32 image costs one sum
    over all pixels per pixel: minutes for 512x512.

    Parameters
    ----------
    image, alpha, mask
        As for `ace`.

    Returns
    -------
    ndarray
        As for `ace`.

    Raises
    ------
    TypeError, ValueError
        As for `ace`.
    """
    channels, mask = _check(image, alpha, mask)
    inside = np.ones(channels.shape[:2], bool) if mask is None else mask
    if not inside.any():
        raise ValueError("mask has no True pixel, expected at least one; omit mask to use every pixel")
    result = np.zeros(channels.shape, np.float64)
    for c in range(channels.shape[2]):
        channel = channels[:, :, c]
        by_levels = image.dtype == np.uint8 and np.count_nonzero(inside) > _DIRECT_PIXELS
        response = (_convolved if by_levels else _summed)(channel, alpha, inside)
        low, high = response.min(), response.max()
        if high - low > 1e-9:
            result[inside, c] = (response - low) / (high - low)
    if image.dtype == np.uint8:
        result = np.floor(255 * result + 0.5)
    return result.astype(image.dtype).reshape(image.shape)


def _check(image: Image, alpha: float, mask: Mask | None) -> tuple[Image, Mask | None]:
    """Return the image as (H, W, C), contiguous, and the mask, contiguous; raise what `ace` raises."""
    if not isinstance(image, np.ndarray) or image.dtype not in (np.uint8, np.float32):
        kind = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise TypeError(
            f"image is {kind}, expected a uint8 or float32 array; convert it with image.astype(numpy.uint8)"
        )
    if image.ndim not in (2, 3) or image.size == 0:
        raise ValueError(f"image has shape {image.shape}, expected (H, W) or (H, W, C), none of them 0")
    if image.dtype == np.float32 and not (image.min() >= 0 and image.max() <= 1):
        raise ValueError(
            f"image has values from {image.min():g} to {image.max():g}, expected 0 to 1; "
            "divide it by its largest value"
        )
    if not MIN_ALPHA <= alpha <= MAX_ALPHA:
        raise ValueError(f"alpha is {alpha}, expected {MIN_ALPHA:g} to {MAX_ALPHA:g}; the usual value is 5")
    channels = np.ascontiguousarray(image.reshape(*image.shape[:2], -1))
    if mask is None:
        return channels, None
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        kind = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
        raise TypeError(f"mask is {kind}, expected a bool array; pass mask > 0")
    if mask.shape != image.shape[:2]:
        raise ValueError(f"mask has shape {mask.shape}, expected the image's {image.shape[:2]}")
    return channels, np.ascontiguousarray(mask)


def _check_out(out: Image, image: Image) -> Image:
    if not isinstance(out, np.ndarray) or out.dtype != image.dtype or out.shape != image.shape:
        kind = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ValueError(f"out is {kind}, expected the image's {image.dtype} {image.shape}")
    if not out.flags.c_contiguous or not out.flags.writeable or np.may_share_memory(out, image):
        raise ValueError(
            "out must be C-contiguous, writeable and not overlap the image; pass numpy.empty_like(image)"
        )
    return out


def _summed(channel: Image, alpha: float, inside: Mask) -> NDArray[np.float64]:
    """Compute R at the pixels of the mask by direct summation."""
    intensity = (
        channel[inside] / np.float32(_GREY_LEVELS - 1) if channel.dtype == np.uint8 else channel[inside]
    )
    row, column = (axis.astype(np.float32) for axis in np.nonzero(inside))
    chosen = np.arange(row.size, dtype=np.uintp)
    response = np.empty(row.size)
    _ace.direct(row, column, intensity, alpha, chosen, response)
    return response


def _convolved(channel: Image, alpha: float, inside: Mask) -> NDArray[np.float64]:
    """Compute R at the pixels of the mask: for each level a, r(a - I) convolved with 1/d, where I = a."""
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    channel, inside = channel[box], inside[box]
    shape = tuple(_smooth_size(2 * side - 1) for side in channel.shape)
    y, x = (np.minimum(np.arange(side), side - np.arange(side)).astype(float) for side in shape)
    distance = np.hypot(y[:, None], x)
    distance[0, 0] = np.inf
    kernel = np.fft.rfft2(1 / distance)

    def weighted(values: NDArray[np.float64]) -> NDArray[np.float64]:
        # Rows that are all zero, and rows that are not read, are skipped.
        spectrum = np.fft.fft(np.fft.rfft(values, shape[1], axis=1), shape[0], axis=0)
        spectrum *= kernel
        rows = np.fft.ifft(spectrum, axis=0)[: values.shape[0]]
        return np.fft.irfft(rows, shape[1], axis=1)[:, : values.shape[1]]

    response = np.zeros(channel.shape)
    table = np.arange(_GREY_LEVELS) / (_GREY_LEVELS - 1)
    for a in np.unique(channel[inside]):
        slope = np.clip(alpha * (table[a] - table), -1, 1)
        here = inside & (channel == a)
        response[here] = weighted(slope[channel] * inside)[here]
    weights: NDArray[np.float64] = weighted(inside.astype(float))[inside]
    return response[inside] / weights


def _smooth_size(least: int) -> int:
    """Return the smallest size, at least `least`, with prime factors 2, 3 and 5 only: fast to transform."""
    size = least
    while True:
        rest = size
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return size
        size += 1
