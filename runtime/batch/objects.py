"""The DICOM objects of an image: its result, as a file that belongs to the same patient and study."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from retinagan.runtime.batch.drawing import Scene
from retinagan.runtime.batch.pictures import objects_among
from retinagan.runtime.errors import ImageError, OptionError
from retinagan.runtime.images.dicom.classes import HEAD_BYTES, is_dicom
from retinagan.runtime.images.dicom.elements import require_pydicom
from retinagan.runtime.images.photograph import Photograph
from retinagan.runtime.measures.dimension import dimension_in
from retinagan.runtime.warnings import ImageWarning

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from retinagan.runtime.batch.settings import Settings
    from retinagan.runtime.dicom.source import Source
    from retinagan.runtime.dicom.structured_report import Measure
    from retinagan.runtime.segmenter import Segmentation

_OVERLAYS = {"jpeg": True, "png": False}  # whether pixels are stored as JPEG


def check_objects(kinds: Iterable[str], overlay_format: str) -> None:
    """Refuse kinds of DICOM object that cannot be written, before the work.

    Raises
    ------
    OptionError
        If pydicom is missing, or the overlays' format is none that DICOM has.
    """
    wanted = objects_among(kinds)
    if not wanted:
        return
    try:
        require_pydicom()
    except ImageError as error:
        raise OptionError(f"--save {wanted[0]}: {error}") from error
    if "dicom-overlay" in wanted and overlay_format not in _OVERLAYS:
        raise OptionError(
            f"--save dicom-overlay: DICOM has no {overlay_format}; choose --overlay-format jpeg or png"
        )


def require_dicom(path: str) -> None:
    """Refuse a file that is no DICOM file, by its first bytes.

    Raises
    ------
    ImageError
        If it is none, or cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise ImageError(f"the file cannot be read: {error.strerror or error}") from error
    check_dicom(head)


def check_dicom(data: bytes) -> None:
    """Refuse what is no DICOM file; `data` is its content, or its first `HEAD_BYTES`.

    Raises
    ------
    ImageError
        If it is none.
    """
    if not is_dicom(data[:HEAD_BYTES]):
        raise ImageError(
            "this is no DICOM file: a DICOM result of it would belong to no patient and refer to no image; "
            "leave the dicom kinds out of --save for it"
        )


def source_of(file: str | BinaryIO, photograph: Photograph) -> Source:
    """Return the source that the objects of a photograph refer to, from its file's path or its open file.

    Raises
    ------
    ImageError
        If the header cannot be read, or is that of another image.
    """
    from retinagan.runtime.dicom.header import read_source

    source = read_source(file, photograph.frame)
    if source.sop_instance != photograph.sop_instance_uid:
        raise ImageError("the file was replaced while it was read; run again when it is whole")
    return source


def warnings_of(source: Source | None) -> tuple[ImageWarning, ...]:
    """Return what is doubtful about the objects of a source."""
    return () if source is None or source.declares_study else (ImageWarning("dicom-study-missing"),)


@dataclass(frozen=True)
class ObjectMaker:
    """Makes the DICOM objects of images; from any thread.

    Parameters
    ----------
    settings : Settings
        What all images of the run have in common.
    overlay_format : {"jpeg", "png"}
        Whether pixels of the overlay are stored as JPEG, or exactly.
    """

    settings: Settings
    overlay_format: str

    def make(self, kind: str, source: Source, scene: Scene) -> bytes:
        """Return an object as the bytes of its file.

        Parameters
        ----------
        kind : str
            One of `OBJECTS`.
        source : Source
            What the object refers to.
        scene : Scene
            The image and its result.
        """
        from retinagan.runtime.dicom.derived import encoded

        return encoded(self._made(kind, source, scene))

    def _made(self, kind: str, source: Source, scene: Scene) -> Dataset:
        from retinagan.runtime.dicom.algorithm import Algorithm
        from retinagan.runtime.dicom.secondary_capture import overlay_capture
        from retinagan.runtime.dicom.segmentation import probability_segmentation, vessel_segmentation
        from retinagan.runtime.dicom.structured_report import measurement_report

        settings, photograph, result = self.settings, scene.photograph, scene.result
        algorithm = Algorithm(
            settings.model,
            settings.model_sha256,
            settings.version,
            result.threshold,
            settings.engine,
            _scale(settings, photograph, result),
        )
        if kind == "dicom-seg":
            return vessel_segmentation(source, result.vessels, algorithm)
        if kind == "dicom-probability":
            return probability_segmentation(source, result.probability, algorithm)
        if kind == "dicom-overlay":
            drawn, coloring = scene.overlay(), scene.coloring()
            colors = "" if coloring is None else coloring.description
            lossy = _OVERLAYS[self.overlay_format]
            return overlay_capture(source, drawn, algorithm, colors=colors, lossy=lossy)
        return measurement_report(source, _measures(photograph, result), algorithm)


def _scale(settings: Settings, photograph: Photograph, result: Segmentation) -> str:
    """Return in words the scale at which the network saw the image."""
    parts = []
    if result.field_of_view is not None:
        origin = settings.angle_from(result.field_of_view, photograph.field_of_view)
        parts.append(f"field of view {result.field_of_view:g} degrees ({origin})")
    if result.working_size is not None:
        parts.append(f"working size {result.working_size} pixels")
    if settings.overlap:
        parts.append(f"overlap {settings.overlap:g}")
    return "; ".join(parts)


def _measures(photograph: Photograph, result: Segmentation) -> list[Measure]:
    """Return what is measured: the vessels' share of the retina, their dimension, and their area in mm2.

    The dimension is left out where the map has no vessels, or its disc is not known; the area where no
    spacing is declared.
    """
    from retinagan.runtime.dicom.structured_report import (
        AREA,
        FRACTAL_DIMENSION,
        RATIO,
        SQUARE_MILLIMETRES,
        VESSEL_DENSITY,
        Measure,
    )

    roi, vessels = (int(np.count_nonzero(mask)) for mask in (result.roi, result.vessels))
    measures = [Measure(VESSEL_DENSITY, vessels / roi if roi else 0.0, RATIO)]
    if result.disc is not None and (fitted := dimension_in(result.vessels & result.roi, result.disc)):
        measures.append(Measure(FRACTAL_DIMENSION, fitted.dimension, RATIO))
    if photograph.pixel_spacing is not None:
        rows, columns = photograph.pixel_spacing
        measures.append(Measure(AREA, vessels * rows * columns, SQUARE_MILLIMETRES))
    return measures
