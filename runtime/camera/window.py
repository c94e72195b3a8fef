"""A window with the pictures, where OpenCV has windows and the machine a display."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import OptionError

_TITLE = "retina-watch (q ends)"
_INSTEAD = "write a video by --out FILE, or show a page by --serve PORT"


def require_window(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> None:
    """Refuse to open a window where none can be; a library of windows may else end the process.

    Raises
    ------
    OptionError
        If this OpenCV has no windows, or there is no display.
    """
    if not cv2.currentUIFramework():
        raise OptionError(
            f"this OpenCV has no windows: {_INSTEAD}, or type  "
            "pip uninstall opencv-python-headless  and  pip install opencv-python"
        )
    if platform == "linux" and not (environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")):
        raise OptionError(f"there is no display for a window (DISPLAY is not set): {_INSTEAD}")


class Window:
    """A window; close it, or press q or Escape in it, to end."""

    def __init__(self) -> None:
        self._open = False

    def show(self, picture: NDArray[np.uint8]) -> bool:
        """Show a picture, (H, W, 3) uint8 BGR; return whether the user wants more."""
        if not self._open:
            cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
            self._open = True
        cv2.imshow(_TITLE, picture)
        if cv2.waitKey(1) & 0xFF in (ord("q"), 27):
            return False
        return bool(cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) >= 1)

    def close(self) -> None:
        """Close the window."""
        if self._open:
            self._open = False
            cv2.destroyWindow(_TITLE)
