import cv2
import numpy as np
import pytest

from retinagan.runtime.camera.window import Window, require_window
from retinagan.runtime.errors import OptionError


def test_a_window_needs_an_opencv_with_windows_and_a_display(monkeypatch):
    monkeypatch.setattr(cv2, "currentUIFramework", lambda: "")
    with pytest.raises(
        OptionError, match=r"this OpenCV has no windows: write a video by --out FILE, or show a page"
    ):
        require_window({"DISPLAY": ":0"}, "linux")
    monkeypatch.setattr(cv2, "currentUIFramework", lambda: "QT")
    with pytest.raises(
        OptionError, match=r"there is no display for a window \(DISPLAY is not set\): write a video"
    ):
        require_window({}, "linux")
    require_window({"DISPLAY": ":0"}, "linux")
    require_window({"WAYLAND_DISPLAY": "wayland-0"}, "linux")
    require_window({}, "darwin")


@pytest.fixture
def screen(monkeypatch):
    """What OpenCV is asked for; `keys` are pressed one after the other, and `visible` tells of the window."""

    class Screen:
        def __init__(self) -> None:
            self.keys: list[int] = []
            self.calls: list[str] = []
            self.visible = 1.0

    seen = Screen()
    for name in ("namedWindow", "imshow", "destroyWindow"):
        monkeypatch.setattr(cv2, name, lambda *arguments, name=name: seen.calls.append(name), raising=False)
    monkeypatch.setattr(cv2, "waitKey", lambda milliseconds: seen.keys.pop(0) if seen.keys else -1)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda title, what: seen.visible)
    return seen


def test_a_window_opens_with_the_first_picture_and_ends_by_key_or_by_hand(screen):
    window, picture = Window(), np.zeros((4, 6, 3), np.uint8)
    window.close()
    assert screen.calls == []
    screen.keys = [-1, ord("x"), ord("q"), 27]
    assert [window.show(picture) for _ in range(4)] == [True, True, False, False]
    screen.visible = 0.0
    assert not window.show(picture)
    window.close()
    assert screen.calls == ["namedWindow", *["imshow"] * 5, "destroyWindow"]
