"""What is measured: names, units, and which of them are written unless others are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from retinagan.runtime.measures.regions import REGIONS

UNITS = ("pixel", "degree", "millimetre")


@dataclass(frozen=True)
class Scale:
    """How long a pixel is, where that is known.

    Parameters
    ----------
    degrees : float or None
        Degrees per pixel.
    millimetres : float or None
        Millimetres per pixel, on the retina.
    """

    degrees: float | None = None
    millimetres: float | None = None

    def lengths(self) -> dict[str, float | None]:
        """Return the length of a pixel in each of `UNITS`."""
        return dict(zip(UNITS, (1.0, self.degrees, self.millimetres), strict=True))


@dataclass(frozen=True)
class Quantity:
    """One measure of a map or of a segment.

    Parameters
    ----------
    name : str
        Its name without a unit.
    power : int
        Of the unit of length: 1 for lengths, -1 for what is per length, 0 for plain numbers.
    default : bool
        Whether it is written unless all measures are asked for. One on which the models agree much worse with
        an expert than a second expert does is not: see docs/measurements.md.
    """

    name: str
    power: int = 0
    default: bool = True

    def columns(self) -> tuple[str, ...]:
        """Return the names of its columns: one for a plain number, else one for each of `UNITS`."""
        if not self.power:
            return (self.name,)
        form = "{}_{}s" if self.power > 0 else "{}_per_{}"
        return tuple(form.format(self.name, unit) for unit in UNITS)

    def in_units(self, value: float | None, scale: Scale) -> Iterator[tuple[str, float | None]]:
        """Give a value in pixels in all units, by column; None where the scale is not known."""
        for column, length in zip(self.columns(), scale.lengths().values(), strict=False):
            if value is None or length is None:
                yield column, None
            else:
                yield column, value * length**self.power if self.power else value


QUANTITIES = (
    Quantity("arc_over_chord"),
    Quantity("junctions"),
    Quantity("segments"),
    Quantity("end_points", default=False),
    Quantity("area_density", default=False),
    Quantity("box_dimension", default=False),
    Quantity("box_dimension_error", default=False),
    Quantity("length", 1),
    Quantity("length_density", -1),
    Quantity("calibre_mean", 1),
    Quantity("calibre_10th_percentile", 1),
    Quantity("calibre_median", 1),
    Quantity("calibre_90th_percentile", 1, default=False),
    Quantity("curvature", -1, default=False),
    *(Quantity(f"area_density_{region}", default=False) for region in REGIONS),
    *(Quantity(f"length_density_{region}", -1) for region in REGIONS),
)
"""All measures of a map, in the order of the columns."""

EVERY_COLUMN = tuple(column for quantity in QUANTITIES for column in quantity.columns())
"""The columns of all measures."""

COLUMNS = tuple(column for quantity in QUANTITIES if quantity.default for column in quantity.columns())
"""The columns of those that are written unless all are asked for."""
