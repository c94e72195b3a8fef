import numpy as np
import pytest

from retinagan.runtime.batch.overlay import draw_overlay
from retinagan.runtime.camera.drawing import draw_frame
from retinagan.runtime.errors import NoRetinaError
from retinagan.runtime.segmenter import Segmentation
from retinagan.runtime.stream.line import FrameResult
from retinagan.runtime.stream.statistics import StreamStatistics
from retinagan.runtime.warnings import ImageWarning

STATISTICS = StreamStatistics(9, 5, 1, 3, 7.5, None, {})
FRAME = np.full((240, 320, 3), (30, 60, 120), np.uint8)  # BGR


def result(frame=FRAME, warnings=(), error=None) -> FrameResult:
    roi = np.ones(frame.shape[:2], bool)
    vessels = np.zeros_like(roi)
    vessels[100:140, 50:270] = True
    segmentation = Segmentation(vessels.astype(np.float32), vessels, roi, {}, warnings=warnings)
    return FrameResult(4, frame, None if error else segmentation, error, {"infer": 0.05}, 0.1)


def test_vessels_are_drawn_over_the_frame_in_its_own_channel_order():
    drawn = draw_frame(result(), STATISTICS)
    vessels = result().segmentation.vessels
    expected = draw_overlay(FRAME[..., ::-1], vessels, np.ones_like(vessels))[..., ::-1]
    np.testing.assert_array_equal(drawn[30:200], expected[30:200])
    assert (drawn[215:] > 200).all(axis=-1).any()  # the figures
    assert not (drawn[:30] > 200).all(axis=-1)[5:, 5:-5].any()  # no warning


def test_warnings_and_errors_are_written_at_the_top():
    warned = draw_frame(
        result(warnings=(ImageWarning("negative", "looks like a negative " * 9),)), STATISTICS
    )
    yellow = (warned[..., 2] > 200) & (warned[..., 0] < 80)
    assert yellow[:20].any()
    assert yellow[20:50].any()  # a long one in several lines
    assert not yellow[:, -4:].any()
    failed = draw_frame(result(error=NoRetinaError("black all over")), STATISTICS)
    assert ((failed[:20, :, 2] > 200) & (failed[:20, :, 0] < 80)).any()
    np.testing.assert_array_equal(failed[60:200], FRAME[60:200])


@pytest.mark.parametrize("shape", [(48, 64, 3), (48, 64), (1200, 1600, 3)])
def test_frames_of_any_size_and_grey_ones(shape):
    frame = np.full(shape, 90, np.uint8)
    before = frame.copy()
    error = NoRetinaError("none \u2013 here")  # a letter that OpenCV's face does not have
    assert draw_frame(result(frame, error=error), STATISTICS).shape == (*shape[:2], 3)
    np.testing.assert_array_equal(frame, before)
