"""Patches of pixels turned into the arrays that the network takes."""

import numpy as np
from numpy.typing import NDArray
from retinagan.runtime.spec import NetworkInput


def image_tensor(patches: NDArray[np.uint8], options: NetworkInput) -> NDArray[np.float32]:
    """Normalise patches of the equalized image: ``(rgb / 255 - mean) / std``.

    Parameters
    ----------
    patches : (N, height, width, 3) uint8 array
        RGB.
    options : NetworkInput
        Mean and standard deviation of each channel.

    Returns
    -------
    (N, 3, height, width) float32 array
    """
    levels = np.arange(256)[:, None] / 255.0
    table = ((levels - np.array(options.mean)) / np.array(options.std)).astype(np.float32)
    count, height, width, channels = patches.shape
    tensor = np.empty((count, channels, height, width), np.float32)
    for channel in range(channels):
        tensor[:, channel] = table[:, channel][patches[..., channel]]
    return tensor


def roi_tensor(patches: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Turn (N, height, width) bool patches of the ROI into (N, 1, height, width) float32, 0 or 1."""
    return patches[:, None].astype(np.float32)
