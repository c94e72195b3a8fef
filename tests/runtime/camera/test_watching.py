import numpy as np
import pytest
from called_steps import CalledSteps

from retinagan.runtime.camera.watching import Screens, Tally, summary, watch
from retinagan.runtime.console.signals import Stopped
from retinagan.runtime.errors import NoRetinaError
from retinagan.runtime.segmenter import Segmentation
from retinagan.runtime.stream.stream import Stream, StreamOptions
from retinagan.runtime.warnings import ImageWarning


class Screen:
    """A window or video or page that remembers what it was shown."""

    def __init__(self, wanted: int | None = None, error: BaseException | None = None) -> None:
        self.pictures: list[np.ndarray] = []
        self.times: list[float] = []
        self.closed = 0
        self._wanted, self._error = wanted, error

    def show(self, picture: np.ndarray, at: float = 0.0) -> bool:
        self.pictures.append(picture)
        self.times.append(at)
        if self._error is not None:
            raise self._error
        return self._wanted is None or len(self.pictures) < self._wanted

    def close(self) -> None:
        self.closed += 1


class Losses:
    losses = 2


def segment(frame: np.ndarray) -> Segmentation:
    if not frame.any():
        raise NoRetinaError("black all over")
    roi = np.ones(frame.shape[:2], bool)
    warnings = (ImageWarning("negative"),) * 2 if frame[0, 0, 0] > 100 else ()
    return Segmentation(roi * np.float32(0.2), ~roi, roi, {"infer": 0.01}, warnings=warnings)


def stream_of(*values: int) -> Stream:
    frames = [np.full((60, 80, 3), value, np.uint8) for value in values]
    return Stream(CalledSteps(segment, "frame"), StreamOptions(), frames)


def test_all_results_are_drawn_shown_and_counted():
    window, video, page, tally = Screen(), Screen(), Screen(), Tally()
    stream = stream_of(50, 0, 150, 0, 150)
    watch(stream, Screens(window, video, page), tally)
    assert [len(screen.pictures) for screen in (window, video, page)] == [5, 5, 5]
    assert [screen.closed for screen in (window, video, page)] == [1, 1, 1]
    assert video.times == sorted(video.times)
    first, *lines = summary(stream.statistics(), tally, Losses())
    assert first.startswith("5 frames: 3 segmented, 2 failed, 0 dropped; ")
    assert lines[0].split() == ["ms", "p50", "p95", "p99"]
    assert lines[-3:] == [
        "warning negative: 2 frames",
        "failed: 2 frames: black all over",
        "the source was lost 2 times",
    ]


def test_so_many_results_or_as_many_as_the_user_wants():
    page = Screen()
    watch(stream_of(*range(10, 30)), Screens(page=page), Tally(), limit=3)
    assert len(page.pictures) == 3
    window = Screen(wanted=4)
    watch(stream_of(*range(10, 30)), Screens(window=window), Tally())
    assert len(window.pictures) == 4
    assert window.closed == 1


def test_a_signal_ends_in_order():
    video = Screen(error=Stopped(15))
    watch(stream_of(*range(10, 30)), Screens(video=video), Tally())
    assert (len(video.pictures), video.closed) == (1, 1)


def test_an_error_closes_everything_too():
    page = Screen(error=ValueError("broken"))
    with pytest.raises(ValueError, match="broken"):
        watch(stream_of(50, 50), Screens(page=page), Tally())
    assert page.closed == 1


def test_a_screen_that_fails_to_close_does_not_keep_the_video_from_its_name():
    class Broken(Screen):
        def close(self) -> None:
            raise ValueError("no window")

    video = Screen()
    with pytest.raises(ValueError, match="no window"):
        watch(stream_of(50), Screens(Broken(), video), Tally())
    assert video.closed == 1
