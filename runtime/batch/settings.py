"""What all images of a run have in common, and the stamp of a result that this gives."""

import hashlib
import os
from dataclasses import dataclass, replace
from typing import NamedTuple

from retinagan.runtime import __version__
from retinagan.runtime.batch.table import DIGEST_LENGTH
from retinagan.runtime.model.spec import ModelSpec

ANGLE_FROM = ("given", "file", "assumed", "fixed")
"""Where an image's angle comes from: the user, the image's file, or the model's assumption; "fixed" where the
model has one working size, whatever the angle."""


class Stamp(NamedTuple):
    """What a result depends on: while this stays the same, so does the result.

    `size` and `modified` are those of the image file, in bytes and in seconds since 1970. `settings` is a
    digest of the model's spec, the options, the engine and the program's version.
    """

    size: str
    modified: str
    model_sha256: str
    settings: str


@dataclass(frozen=True)
class Settings:
    """What all rows of a run have in common; see `retinagan.runtime.batch.row.Row`.

    `threshold_from` is "fixed" if `threshold` is that of all maps, or "map" if each has its own around it.
    """

    engine: str
    model: str
    model_sha256: str
    threshold: float
    overlap: float
    version: str
    digest: str
    field_of_view: float | None = None
    equalization: str = "ace"
    overlay_colour: str = "vessels"
    threshold_from: str = "fixed"

    @classmethod
    def of(
        cls,
        spec: ModelSpec,
        engine: str,
        field_of_view: float | None = None,
        overlay_colour: str = "vessels",
        *,
        measures: bool = False,
    ) -> "Settings":
        """Return the settings of a run.

        Parameters
        ----------
        spec : ModelSpec
            Of the model, with threshold and overlap as used.
        engine : str
            What runs it.
        field_of_view : float, optional
            Degrees that the user gave for all images.
        overlay_colour : {"vessels", "probability", "calibre"}
            What the overlays' vessels are coloured by.
        measures : bool
            Whether vessels are measured, in degrees, too.
        """
        decisive = replace(spec, training={}, scores={}, proof={})
        if spec.preprocessing.pixels_per_degree is None and not measures:
            field_of_view = None  # no matter to a fixed working size
        parts = [decisive.to_json(), engine, __version__]
        parts += [] if field_of_view is None else [f"field of view {field_of_view!r}"]
        parts += [] if overlay_colour == "vessels" else [f"overlay colour {overlay_colour}"]
        digest = hashlib.sha256("\0".join(parts).encode())
        return cls(
            engine=engine,
            model=spec.name,
            model_sha256=spec.sha256,
            threshold=spec.threshold,
            overlap=spec.tiling.overlap,
            version=__version__,
            digest=digest.hexdigest()[:DIGEST_LENGTH],
            field_of_view=field_of_view,
            equalization=spec.preprocessing.method,
            overlay_colour=overlay_colour,
            threshold_from="fixed" if spec.map_threshold is None else "map",
        )

    def angle_from(self, used: float | None, declared: float | None = None) -> str:
        """Return where the angle that scaled an image comes from, one of `ANGLE_FROM`.

        Parameters
        ----------
        used : float or None
            The angle in degrees; None where the model has a fixed working size.
        declared : float or None
            The angle that the image's file declares.
        """
        if used is None:
            return "fixed"
        if self.field_of_view is not None:
            return "given"
        return "assumed" if declared is None else "file"

    def stamp(self, status: os.stat_result | None) -> Stamp:
        """Return the stamp of an image file from its `os.stat`, or None if that failed."""
        size = modified = ""
        if status is not None:
            seconds, fraction = divmod(status.st_mtime_ns, 10**9)
            size, modified = str(status.st_size), f"{seconds}.{fraction:09d}"
        return Stamp(size, modified, self.model_sha256, self.digest)
