"""A result as the pixels of a picture, by the picture's kind."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.batch.coloring import Coloring, coloring_of
from retinagan.runtime.batch.overlay import draw_overlay
from retinagan.runtime.batch.panel import PanelParts, draw_panel
from retinagan.runtime.batch.ruler import Ruler
from retinagan.runtime.images.photograph import Photograph
from retinagan.runtime.segmenter import Segmentation
from retinagan.runtime.steps.prepare import Prepared

if TYPE_CHECKING:
    from retinagan.runtime.batch.settings import Settings


class Scene:
    """An image and its result, with what several pictures show of them; from any thread.

    Parameters
    ----------
    photograph : Photograph
        The image, in 8-bit RGB.
    result : Segmentation
    settings : Settings, optional
        What all images of the run have in common. Without it vessels have one colour.
    prepared : Prepared, optional
        The image as the network saw it; needed for a panel, and for vessels coloured by calibre.
    """

    def __init__(
        self,
        photograph: Photograph,
        result: Segmentation,
        settings: Settings | None = None,
        prepared: Prepared | None = None,
    ) -> None:
        self.photograph = photograph
        self.result = result
        self._settings = settings
        self._prepared = prepared
        self._lock = threading.Lock()
        self._overlay: NDArray[np.uint8] | None = None
        self._coloring: Coloring | None = None

    def overlay(self) -> NDArray[np.uint8]:
        """Return the overlay, (H, W, 3) uint8 RGB; it is drawn once."""
        with self._lock:
            if self._overlay is None:
                self._overlay = self._drawn_overlay()
            return self._overlay

    def coloring(self) -> Coloring | None:
        """Return what colours the overlay's vessels; None for one colour."""
        self.overlay()
        return self._coloring

    def panel(self) -> NDArray[np.uint8]:
        """Return the panel, (h, w, 3) uint8 RGB; see `draw_panel`."""
        assert self._settings is not None
        assert self._prepared is not None
        result, ruler = self.result, self._ruler()
        assert ruler is not None
        return draw_panel(
            PanelParts(
                self.photograph.pixels,
                self._prepared,
                self._settings.equalization,
                result.probability,
                result.roi,
                self.overlay(),
                ruler,
                self.coloring(),
                self._facts(self._settings),
                "; ".join(doubt.message for doubt in (*self.photograph.warnings, *result.warnings)),
            )
        )

    def _drawn_overlay(self) -> NDArray[np.uint8]:
        result, settings = self.result, self._settings
        if settings is not None:
            self._coloring = coloring_of(settings.overlay_colour, result, self._ruler())
        colors = None if self._coloring is None else self._coloring.colors()
        return draw_overlay(self.photograph.pixels, result.vessels, result.roi, result.unsegmented, colors)

    def _ruler(self) -> Ruler | None:
        if self._settings is None or self._prepared is None:
            return None
        angle_from = self._settings.angle_from(self.result.field_of_view, self.photograph.field_of_view)
        return Ruler.of(self.photograph, self.result, self._prepared.retina.disc, angle_from)

    def _facts(self, settings: Settings) -> str:
        """Return in words what computed the maps."""
        confidence, threshold = self.result.confidence, self.result.threshold
        expected = "" if math.isnan(confidence) else f", expected Dice {confidence:.2f}"
        drawn = f"vessels from a probability of {threshold:.3g}"
        return f"Model {settings.model}, {drawn}{expected}. retinagan {settings.version}."


def _vessels(scene: Scene) -> NDArray[np.uint8]:
    white: NDArray[np.uint8] = np.where(scene.result.vessels, np.uint8(255), np.uint8(0))
    return white


def _probability(scene: Scene) -> NDArray[np.uint16]:
    scaled: NDArray[np.float32] = np.rint(scene.result.probability * np.float32(65535))
    return scaled.astype(np.uint16)


PICTURES: dict[str, Callable[[Scene], NDArray[Any]]] = {
    "vessels": _vessels,
    "probability": _probability,
    "overlay": Scene.overlay,
    "panel": Scene.panel,
}
"""What draws a picture of each kind.

vessels: (H, W) uint8, 0 and 255; probability: (H, W) uint16, 65535 for 1; overlay: (H, W, 3) uint8 RGB;
panel: (h, w, 3) uint8 RGB.
"""
