"""A frame's result as a picture: the overlay, with a line of figures and the warnings."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.batch.overlay import draw_overlay
from retinagan.runtime.images.frames import as_rgb8
from retinagan.runtime.stream.line import FrameResult
from retinagan.runtime.stream.statistics import StreamStatistics

_PIXELS_PER_SCALE = 1600  # sides of frames on which OpenCV's letters have their own size, 22 pixels
_SMALLEST, _FACE = 0.4, cv2.FONT_HERSHEY_SIMPLEX
_LINE = 30  # pixels from line to line at that size
_WHITE, _YELLOW, _BLACK = (255, 255, 255), (0, 220, 255), (0, 0, 0)


def draw_frame(result: FrameResult, statistics: StreamStatistics) -> NDArray[np.uint8]:
    """Return the frame with its vessels, or as it came if it failed; (H, W, 3) uint8 BGR.

    The figures are at the foot: the frame's number, its latency, the time of the engine, results a second,
    and frames dropped. The reason of a failure, or the warnings, are at the top.
    """
    image = as_rgb8(np.asarray(result.frame), "bgr")
    if result.segmentation is None:
        notes = [str(result.error)]
        figures = f"{result.number}: failed"
    else:
        image = draw_overlay(image, result.segmentation.vessels, result.segmentation.roi)
        notes = [warning.message for warning in result.warnings]
        engine = result.seconds.get("infer", 0.0)
        figures = f"{result.number}: {1000 * result.latency:.0f} ms, engine {1000 * engine:.0f} ms"
    picture = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), np.uint8)
    height, width = picture.shape[:2]
    scale = max(_SMALLEST, max(height, width) / _PIXELS_PER_SCALE)
    figures = f"{figures}, {statistics.rate:.1f}/s, {statistics.dropped} dropped"
    margin = round(_LINE * scale / 2)
    _write(picture, figures, height - margin, scale, _WHITE)
    lines = [line for note in notes for line in _broken(f"! {note}", width - 2 * margin, scale)]
    for number, line in enumerate(lines, start=1):
        _write(picture, line, round(number * _LINE * scale), scale, _YELLOW)
    return picture


def _write(picture: NDArray[np.uint8], text: str, y: int, scale: float, color: tuple[int, int, int]) -> None:
    """Write a line with a dark rim, so that it can be read on any image."""
    x, thin = round(_LINE * scale / 2), max(1, round(2 * scale))
    for ink, thickness in (_BLACK, thin + 2), (color, thin):
        cv2.putText(picture, text, (x, y), _FACE, scale, ink, thickness, cv2.LINE_AA)


def _broken(text: str, width: int, scale: float) -> list[str]:
    """Break a text at spaces into lines that are no wider than this, single words apart."""
    lines: list[str] = []
    for word in text.encode("ascii", "replace").decode().split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and cv2.getTextSize(longer, _FACE, scale, 1)[0][0] <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
