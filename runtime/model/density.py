"""Another density of the working square than the spec's: less accuracy for more speed."""

from __future__ import annotations

from dataclasses import replace

from retinagan.runtime.errors import OptionError
from retinagan.runtime.model.spec import ModelSpec, Preprocessing
from retinagan.runtime.warnings import ImageWarning

LOWEST_SHARE, DOUBTED_SHARE = 0.3, 0.5
"""Shares of the spec's density below which a density is refused, and doubted.

Networks are trained at scales from half to twice the spec's density. What each costs is measured in
docs/embedding.md: half of it about 0.02 AUC and 0.05 Dice, a third 0.07 and 0.16, and less falls steeply.
"""


def at_density(preprocessing: Preprocessing, pixels_per_degree: float, model: str) -> Preprocessing:
    """Return a model's preprocessing at another density.

    Parameters
    ----------
    preprocessing : Preprocessing
        Of the model's spec.
    pixels_per_degree : float
        Density of the working square, from `LOWEST_SHARE` of the spec's to the spec's own. The square's area,
        and with it the engine's time, grows with the density's square.
    model : str
        The model's name, for errors.

    Raises
    ------
    OptionError
        If the density is out of range, or the model has a fixed working size.
    """
    own = preprocessing.pixels_per_degree
    if own is None:
        raise OptionError(
            f"pixels per degree: got {pixels_per_degree:g}, but model {model} has a fixed working size of "
            f"{preprocessing.working_size} pixels; leave it out, or use a model with a density, such as "
            "retina-gan-small"
        )
    lowest = LOWEST_SHARE * own
    if not lowest <= pixels_per_degree <= own:  # not so for NaN either
        raise OptionError(
            f"pixels per degree: got {pixels_per_degree:g}; expected {lowest:g} to {own:g}, the density of "
            f"model {model}: more takes more time and finds no more vessels, less loses too many"
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
