import itertools
import threading

import numpy as np
import pytest
from drawn_retina import drawn_retina
from gated_engine import PATIENCE, gated_steps, numbered_frame, stream_threads, whole_frame
from tiny_model import tiny_spec, write_tiny_model

from retinagan.runtime import (
    EngineError,
    ImageError,
    NoRetinaError,
    RetinaGanError,
    Segmenter,
    StreamError,
)
from retinagan.runtime.images.photograph import Photograph
from retinagan.runtime.model.parameters import Preprocessing, Tiling
from retinagan.runtime.steps import segment as steps
from retinagan.runtime.stream.stream import Stream, StreamOptions


@pytest.fixture(autouse=True)
def no_thread_is_left():
    assert stream_threads() == []
    yield
    assert stream_threads() == []


def frames_of_a_visit(count):
    """Frames of one camera in which the retina is lit differently each time, within the same disc."""
    image, _ = drawn_retina(120, 130)
    return [np.where(image > 0, image - np.uint8(3 * number), image) for number in range(count)]


def test_results_are_those_of_the_segmenter_in_order(segmenter):
    frames = frames_of_a_visit(8)
    expected = [segmenter(frame) for frame in frames]
    results = list(segmenter.stream(frames, reuse_roi=False))
    assert [result.number for result in results] == list(range(8))
    for result, frame, alone in zip(results, frames, expected, strict=True):
        assert result.frame is frame
        assert result.error is None
        for name in ("probability", "vessels", "roi"):
            np.testing.assert_array_equal(getattr(result.segmentation, name), getattr(alone, name))


@pytest.fixture(scope="module")
def scaled(tmp_path_factory):
    """A segmenter of 2 pixels a degree."""
    spec = tiny_spec(preprocessing=Preprocessing("none", 5.0, pixels_per_degree=2.0), tiling=Tiling(None))
    with Segmenter(write_tiny_model(tmp_path_factory.mktemp("scaled"), spec), threads=1) as segmenter:
        yield segmenter


def test_a_frame_may_have_an_angle_of_its_own(scaled):
    frame, angles = drawn_retina(240, 260)[0], [None, 30.0, 60.0, None, 45.0]
    expected = [scaled(frame, angle) for angle in angles]
    with scaled.open_stream(queue=8) as stream:
        for angle in angles:
            stream.put(frame, angle)
        stream.finish()
        results = [result.segmentation for result in stream]
    assert [result.field_of_view for result in results] == [45.0, 30.0, 60.0, 45.0, 45.0]
    assert [result.working_size for result in results] == [96, 64, 128, 96, 96]
    for result, alone in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result.probability, alone.probability)


def test_a_stream_may_have_another_angle_than_the_segmenter(scaled):
    frame = drawn_retina(240, 260)[0]
    (result,) = scaled.stream([frame], field_of_view=60.0)
    assert result.segmentation.working_size == 128
    assert scaled(frame).working_size == 96


def test_photographs_bring_their_angles_along(scaled):
    frame = drawn_retina(240, 260)[0]
    photographs = [Photograph(frame, 8, field_of_view=angle) for angle in (30.0, None, 60.0)]
    assert [scaled(photograph).working_size for photograph in photographs] == [64, 96, 128]
    results = list(scaled.stream(photographs))
    assert [result.segmentation.working_size for result in results] == [64, 96, 128]
    assert results[0].frame is photographs[0]
    with scaled.open_stream(field_of_view=60.0) as stream:  # what the user says counts more than the file
        stream.put(photographs[0])
        stream.put(photographs[0], 45.0)
        stream.finish()
        assert [result.segmentation.working_size for result in stream] == [128, 96]


def test_an_angle_that_no_camera_has(scaled):
    with pytest.raises(ImageError, match="field of view of 400 degrees"):
        scaled.stream([], field_of_view=400.0)
    with scaled.open_stream() as stream, pytest.raises(ImageError, match="field of view of 1 degrees"):
        stream.put(drawn_retina(120, 130)[0], 1.0)


def test_times_by_stage_and_latency(segmenter):
    with segmenter.stream(frames_of_a_visit(3)) as stream:
        for result in stream:
            assert list(result.seconds) == ["roi", "crop", "equalize", "patches", "infer", "regroup"]
            assert result.seconds == result.segmentation.seconds
            assert min(result.seconds.values()) > 0
            assert result.latency >= sum(result.seconds.values())
            with pytest.raises(TypeError):
                result.seconds["roi"] = 0
    statistics = stream.statistics()
    assert (statistics.received, statistics.segmented, statistics.failed, statistics.dropped) == (3, 3, 0, 0)
    assert statistics.rate > 0
    assert list(statistics.stages) == ["roi", "crop", "equalize", "patches", "infer", "regroup"]
    assert 0 < statistics.latency.p50 <= statistics.latency.p95 <= statistics.latency.p99


def test_a_frame_is_done_or_in_doubt_or_failed(segmenter):
    plain = drawn_retina()[0]
    frames = [plain, np.hstack([plain, plain]), np.zeros_like(plain)]
    results = list(segmenter.stream(frames))
    assert [result.status for result in results] == ["done", "warning", "failed"]
    codes = [[warning.code for warning in result.warnings] for result in results]
    assert codes == [[], ["several-fields-of-view"], []]
    assert 0 < results[0].segmentation.confidence <= 1
    assert results[0].segmentation.confidence == segmenter(plain).confidence


def test_bad_frames_say_what_is_wrong_and_the_stream_goes_on(segmenter):
    good, other_size = drawn_retina(120, 130)[0], drawn_retina(90, 80)[0]
    black, nan = np.zeros_like(good), np.full(good.shape, np.nan, np.float32)
    frames = [good, good[..., :2], black, nan, "frame", other_size, None, good]
    with segmenter.stream(frames) as stream:
        results = list(stream)
    assert [result.number for result in results] == list(range(8))
    assert [result.segmentation is None for result in results] == [False, *[True] * 4, False, True, False]
    errors = {result.number: result.error for result in results if result.error is not None}
    assert list(errors) == [1, 2, 3, 4, 6]
    assert all(isinstance(error, ImageError) for error in errors.values())
    assert "got shape (120, 130, 2)" in str(errors[1])
    assert isinstance(errors[2], NoRetinaError)
    assert "got dtype float32" in str(errors[3])
    assert "got str" in str(errors[4])
    assert list(results[3].seconds) == ["roi"]
    assert results[5].segmentation.roi.shape == (90, 80)
    np.testing.assert_array_equal(results[7].segmentation.probability, results[0].segmentation.probability)
    assert (stream.statistics().segmented, stream.statistics().failed) == (3, 5)


def test_results_stay_as_they_are_when_buffers_are_used_again(segmenter):
    frames = frames_of_a_visit(12)
    results, copies = [], []
    for result in segmenter.stream(frames):
        results.append(result.segmentation)
        copies.append([result.segmentation.probability.copy(), result.segmentation.roi.copy()])
    for result, (probability, roi) in zip(results, copies, strict=True):
        np.testing.assert_array_equal(result.probability, probability)
        np.testing.assert_array_equal(result.roi, roi)
    results[0].roi[:] = False
    assert results[1].roi.any()


def test_buffers_are_made_for_the_frames_under_way_and_no_more(engine, monkeypatch):
    made = []

    def counted(grid):
        made.append(grid)
        return buffers(grid)

    buffers = steps.PatchBuffers
    monkeypatch.setattr(steps, "PatchBuffers", counted)
    frames = [numbered_frame(number) for number in range(30)]
    results = list(Stream(gated_steps(engine), StreamOptions(), frames))
    assert len(results) == 30
    assert 1 <= len(made) <= 3


def test_every_frame_is_done_and_none_is_drawn_before_there_is_room(engine):
    drawn = []
    engine.shut()

    def source():
        for number in range(12):
            drawn.append(number)
            yield numbered_frame(number)

    with Stream(gated_steps(engine), StreamOptions("every", queue=2), source()) as stream:
        engine.wait_for_run()
        # one frame in the engine, one prepared, two wait, and one was drawn and is waited with
        assert len(drawn) <= 5
        engine.open()
        assert [result.number for result in stream] == list(range(12))
    assert stream.statistics().dropped == 0


def test_the_latest_frames_are_done_and_the_others_counted(engine):
    engine.shut()
    stream = Stream(gated_steps(engine), StreamOptions("latest", queue=2))
    assert stream.put(numbered_frame(0)) == 0
    engine.wait_for_run()  # 0 is in the engine
    for number in range(1, 20):  # one of these is prepared, the last two wait, the others are dropped
        assert stream.put(numbered_frame(number)) == number
    stream.finish()
    engine.open()
    results = list(stream)
    numbers = [result.number for result in results]
    assert numbers[0] == 0
    assert numbers[-2:] == [18, 19]
    assert numbers == sorted(numbers)
    assert 3 <= len(numbers) <= 4
    for result in results:
        np.testing.assert_array_equal(result.frame, numbered_frame(result.number))
    statistics = stream.statistics()
    assert (statistics.received, statistics.dropped) == (20, 20 - len(numbers))
    assert statistics.segmented == len(numbers)


def test_a_slow_consumer_makes_the_latest_drop_and_not_pile_up(engine):
    fetched = threading.Event()

    def source():
        for number in range(200):
            yield numbered_frame(number)
        fetched.wait(PATIENCE)
        yield numbered_frame(200)

    with Stream(gated_steps(engine), StreamOptions("latest", queue=1), source()) as stream:
        first = next(stream)
        while stream.statistics().received < 200:
            pass
        fetched.set()
        rest = [result.number for result in stream]
    assert first.number < rest[0]
    assert rest[-1] == 200
    # three in the stages, one waiting and the last
    assert len(rest) <= 5


def test_frames_from_a_cameras_callback(engine):
    stream = Stream(gated_steps(engine), StreamOptions())
    camera = threading.Thread(
        target=lambda: ([stream.put(numbered_frame(number)) for number in range(20)], stream.finish())
    )
    camera.start()
    numbers = [result.number for result in stream]
    camera.join(PATIENCE)
    assert numbers == list(range(20))
    with pytest.raises(StreamError, match="the stream has ended and takes no more frames; open a new one"):
        stream.put(numbered_frame(0))


def test_numbers_follow_the_order_of_arrival_from_many_threads(engine):
    stream = Stream(gated_steps(engine), StreamOptions(queue=1))
    given = {}

    def put(first):
        for value in range(first, first + 25):
            given[stream.put(numbered_frame(value))] = value

    cameras = [threading.Thread(target=put, args=(first,)) for first in (0, 25, 50, 75)]
    for camera in cameras:
        camera.start()
    results = [next(stream) for _ in range(100)]
    for camera in cameras:
        camera.join(PATIENCE)
    stream.close()
    assert [result.number for result in results] == list(range(100))
    for result in results:
        np.testing.assert_array_equal(result.frame, numbered_frame(given[result.number]))


def test_engine_failures_are_the_frames_errors_until_too_many_in_a_row(engine):
    frames = (numbered_frame(number) for number in itertools.count())
    with Stream(gated_steps(engine), StreamOptions(), frames) as stream:
        engine.failures = 2
        while next(stream).error is None:
            pass
        second = next(stream)
        assert isinstance(second.error, EngineError)
        assert str(second.error) == "gated failed"
        assert next(stream).error is None
        engine.failures = 3
        with pytest.raises(EngineError, match="the engine failed on 3 frames in a row: gated failed"):
            for _ in stream:
                pass
        assert list(stream) == []
        statistics = stream.statistics()
        assert statistics.failed == 4


def test_a_defect_stays_with_its_frame(engine):
    def find(image):
        if image[0, 0, 0] == 103:
            raise KeyError("broken")
        if image[0, 0, 0] == 105:
            raise MemoryError
        return whole_frame(image)

    frames = [numbered_frame(number) for number in range(8)]
    results = list(Stream(gated_steps(engine, find), StreamOptions(), frames))
    assert [result.number for result in results if result.error is not None] == [3, 5]
    assert type(results[3].error) is RetinaGanError
    assert str(results[3].error).startswith("unexpected KeyError: 'broken' (test_stream.py, line ")
    assert str(results[3].error).endswith("); please report it with the frame")
    assert str(results[5].error) == "not enough memory for a frame of this size; make it smaller"


def test_a_thread_that_dies_is_reported(engine):
    class Killed(BaseException):
        pass

    def find(image):
        if image[0, 0, 0] == 103:
            raise Killed("killed")
        return whole_frame(image)

    frames = (numbered_frame(number) for number in itertools.count())
    with Stream(gated_steps(engine, find), StreamOptions(), frames) as stream:
        assert [next(stream).number for _ in range(3)] == [0, 1, 2]
        with pytest.raises(Killed, match="killed"):
            next(stream)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"policy": "newest"}, 'policy: got \'newest\'; expected "every" or "latest"'),
        ({"queue": 0}, "queue: got 0; expected a whole number of frames from 1"),
        ({"queue": True}, "queue: got True; expected a whole number of frames from 1"),
        ({"queue": 2.0}, "queue: got 2.0; expected a whole number of frames from 1"),
    ],
)
def test_wrong_options(segmenter, options, message):
    with pytest.raises(StreamError) as caught:
        segmenter.stream([], **options)
    assert str(caught.value) == message
    with pytest.raises(StreamError):
        segmenter.open_stream(**options)


@pytest.mark.parametrize(
    ("frames", "found"),
    [
        (5, "'int' object is not iterable"),
        (None, "'NoneType' object is not iterable"),
        (np.uint8(5), "'numpy.uint8' object is not iterable"),
        ("eye.mp4", "got 'eye.mp4'"),
    ],
)
def test_what_is_no_source_of_frames_starts_nothing(segmenter, frames, found):
    with pytest.raises(StreamError) as caught:
        segmenter.stream(frames)
    expected = "expected an iterable of arrays, such as a list or a generator"
    assert str(caught.value) == f"frames: {found}; {expected}"
    assert stream_threads() == []


def test_no_frames(segmenter):
    assert list(segmenter.stream([])) == []


def test_two_streams_of_one_segmenter(segmenter):
    frames = frames_of_a_visit(6)
    with segmenter.stream(frames) as one, segmenter.stream(frames, policy="every", queue=1) as other:
        for first, second in zip(one, other, strict=True):
            np.testing.assert_array_equal(first.segmentation.probability, second.segmentation.probability)
