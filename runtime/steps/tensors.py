"""Convert patches of pixels to the network's input arrays."""

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.model.parameters import NetworkInput


def image_tensor(
    patches: NDArray[np.uint8], options: NetworkInput, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Normalise patches of the equalized image: ``(rgb / 255 - mean) / std``.

    Parameters
    ----------
    patches : (N, height, width, 3) uint8 array
        RGB.
    options : NetworkInput
        Mean and standard deviation of each channel.
    out : (N, 3, height, width) float32 array, optional
        Where to write the result.

    Returns
    -------
    (N, 3, height, width) float32 array
        `out` if given, else a new array.
    """
    levels = np.arange(256)[:, None] / 255.0
    normalised = (levels - np.array(options.mean)) / np.array(options.std)
    table = np.ascontiguousarray(normalised.T, np.float32)
    count, height, width, channels = patches.shape
    tensor = np.empty((count, channels, height, width), np.float32) if out is None else out
    for patch, planes in zip(patches, tensor, strict=True):
        for channel, plane in enumerate(cv2.split(patch)):
            cv2.LUT(plane, table[channel], planes[channel])
    return tensor


def roi_tensor(patches: NDArray[np.bool_], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Convert (N, height, width) bool patches of the ROI to (N, 1, height, width) float32, 0 or 1.

    The result is written into `out` if given, else into a new array.
    """
    tensor = np.empty((len(patches), 1, *patches.shape[1:]), np.float32) if out is None else out
    tensor[:, 0] = patches
    return tensor
