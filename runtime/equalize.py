"""Equalization of a cropped fundus image, as the model's spec asks for it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from retinagan.ace_ext import ace
from retinagan.runtime.spec import Preprocessing

_Method = Callable[[NDArray[np.uint8], NDArray[np.bool_], Preprocessing], NDArray[np.uint8]]


def equalize(image: NDArray[np.uint8], roi: NDArray[np.bool_], options: Preprocessing) -> NDArray[np.uint8]:
    """Equalize an image inside the retina.

    Parameters
    ----------
    image : (S, S, 3) uint8 array
        RGB image.
    roi : (S, S) bool array
        True inside the retina; with "ace" it is the Subset of the equation.
    options : Preprocessing
        Which method, and its parameters.

    Returns
    -------
    (S, S, 3) uint8 array
        The equalized image, 0 outside `roi`; a new array.
    """
    return METHODS[options.method](image, roi, options)


def _ace(image: NDArray[np.uint8], roi: NDArray[np.bool_], options: Preprocessing) -> NDArray[np.uint8]:
    equalized: NDArray[np.uint8] = ace(image, alpha=options.alpha, mask=roi)
    return equalized


def _unchanged(image: NDArray[np.uint8], roi: NDArray[np.bool_], options: Preprocessing) -> NDArray[np.uint8]:
    return np.where(roi[..., None], image, np.uint8(0))


METHODS: dict[str, _Method] = {"ace": _ace, "none": _unchanged}
"""The methods by the name that a spec gives them."""
