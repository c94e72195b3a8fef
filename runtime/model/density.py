"""Another density of the working square than the spec's, which trades accuracy for speed."""

from __future__ import annotations

from dataclasses import replace

from retinagan.runtime.errors import OptionError
from retinagan.runtime.model.fields import is_number
from retinagan.runtime.model.parameters import Preprocessing
from retinagan.runtime.model.spec import ModelSpec
from retinagan.runtime.warnings import ImageWarning

LOWEST_SHARE, HIGHEST_SHARE = 0.3, 1.5
"""Shares of the spec's density between which a density is taken.

Networks are trained at scales from half to twice the spec's density. What the shares cost is measured in
docs/embedding.md: half of it about 0.02 AUC, a third 0.07, and less falls steeply; 1.5 gains at most 0.004.
"""
DOUBTED_SHARE = 0.5
"""Share of the spec's density below which each map is doubted."""


def at_density(preprocessing: Preprocessing, pixels_per_degree: float, model: str) -> Preprocessing:
    """Return a model's preprocessing at another density.

    Parameters
    ----------
    preprocessing : Preprocessing
        Of the model's spec.
    pixels_per_degree : float
        Density of the working square, `LOWEST_SHARE` to `HIGHEST_SHARE` times the spec's. The square's area,
        and with it the engine's time, grows with the density's square.
    model : str
        The model's name, for errors.

    Raises
    ------
    OptionError
        If the density is no number or out of range, or the model has a fixed working size.
    """
    if not is_number(pixels_per_degree):
        raise OptionError(f"pixels per degree: got {pixels_per_degree!r}; expected a number, such as 13")
    own = preprocessing.pixels_per_degree
    if own is None:
        raise OptionError(
            f"pixels per degree: got {pixels_per_degree:g}, but model {model} has a fixed working size of "
            f"{preprocessing.working_size} pixels; leave it out, or use a model with a density, such as "
            "retina-gan-small"
        )
    lowest, highest = (round(share * own, 6) for share in (LOWEST_SHARE, HIGHEST_SHARE))
    if not lowest <= pixels_per_degree <= highest:  # not so for NaN either
        raise OptionError(
            f"pixels per degree: got {pixels_per_degree:g}; expected {lowest:g} to {highest:g}, around the "
            f"{own:g} of model {model}: less loses too many vessels, more takes too long"
        )
    return replace(preprocessing, pixels_per_degree=float(pixels_per_degree))


def doubts_of_density(own: ModelSpec, used: ModelSpec) -> tuple[ImageWarning, ...]:
    """Return a warning for each map if a model is used at a density far below its own.

    Parameters
    ----------
    own, used : ModelSpec
        The spec as it came with the model, and as changed by the user's options.
    """
    learned, density = own.preprocessing.pixels_per_degree, used.preprocessing.pixels_per_degree
    if learned is None or density is None or density >= DOUBTED_SHARE * learned:
        return ()
    text = f"the network sees {density:g} pixels per degree, less than half of the {learned:g} of its model"
    return (ImageWarning("coarse-scale", f"{text}; thin vessels are lost"),)
