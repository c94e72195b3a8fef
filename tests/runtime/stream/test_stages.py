"""One frame through the three stages, each called by hand: what it leaves, and whose error it is."""

import gc
import re
import sys

import numpy as np
import pytest
from drawn_retina import drawn_retina
from gated_engine import gated_steps, numbered_frame

from retinagan.runtime.errors import EngineError, ImageError, NoRetinaError, RetinaGanError
from retinagan.runtime.retina.find import find_retina
from retinagan.runtime.steps import segment
from retinagan.runtime.stream.stages import Passing


@pytest.fixture
def made(monkeypatch):
    """The sets of buffers that were made."""
    made = []

    def counted(grid):
        made.append(buffers(grid))
        return made[-1]

    buffers = segment.PatchBuffers
    monkeypatch.setattr(segment, "PatchBuffers", counted)
    return made


def passed(steps, frame) -> Passing:
    passing = Passing(frame, 0.0)
    for stage in (steps.prepare, steps.infer, steps.regroup):
        stage(passing)
    return passing


def failing(error):
    def find(image):
        raise error

    return find


def test_the_stages_give_what_the_frame_shows(engine):
    frame = numbered_frame(90)
    passing = passed(gated_steps(engine), frame)
    assert passing.frame is frame
    assert passing.error is None
    assert passing.segmentation.probability.shape == frame.shape[:2]
    network_input = engine.spec.network_input
    normalised = (190 / 255 - np.array(network_input.mean)) / network_input.std
    shown = passing.segmentation.probability[4:-4, 4:-4]
    np.testing.assert_allclose(shown, normalised.mean(), atol=1e-5)  # what the gated engine gives
    assert list(passing.clock.seconds) == ["roi", "crop", "equalize", "patches", "infer", "regroup"]


def test_a_frame_lets_go_of_its_patches_at_the_end(engine):
    passing = passed(gated_steps(engine), numbered_frame(0))
    assert (passing.batch, passing.prepared, passing.buffers) == (None, None, None)


@pytest.mark.parametrize("bad", ["frame", np.zeros((4, 4)), np.zeros((96, 96, 3), np.uint8)])
def test_a_bad_frame_keeps_its_error_and_never_reaches_the_engine(engine, bad):
    passing = passed(gated_steps(engine, find_retina), bad)
    assert isinstance(passing.error, ImageError)
    assert passing.segmentation is None
    assert not engine.started.acquire(blocking=False)
    assert "infer" not in passing.clock.seconds


def test_an_error_does_not_hold_on_to_the_frame(engine):
    steps = gated_steps(engine, find_retina)
    errors = [
        passed(steps, np.zeros((96, 96, 3), np.uint8)).error,
        passed(gated_steps(engine, failing(KeyError("x"))), numbered_frame(0)).error,
    ]
    assert isinstance(errors[0], NoRetinaError)
    assert [error.__traceback__ for error in errors] == [None, None]
    gc.disable()
    try:
        frame = np.zeros((96, 96, 3), np.uint8)
        references = sys.getrefcount(frame)
        error = passed(steps, frame).error
        assert isinstance(error, NoRetinaError)
        assert sys.getrefcount(frame) == references
    finally:
        gc.enable()


def test_too_little_memory_is_the_frames_error(engine):
    error = passed(gated_steps(engine, failing(MemoryError())), numbered_frame(0)).error
    assert isinstance(error, ImageError)
    assert str(error) == "not enough memory for a frame of this size; make it smaller"


def test_a_defect_names_its_place_and_asks_for_a_report(engine):
    error = passed(gated_steps(engine, failing(ValueError("odd"))), numbered_frame(0)).error
    assert type(error) is RetinaGanError
    assert re.fullmatch(
        r"unexpected ValueError: odd \(test_stages\.py, line \d+\); please report it with the frame",
        str(error),
    )


def test_an_interrupt_is_no_frames_error(engine):
    with pytest.raises(KeyboardInterrupt):
        gated_steps(engine, failing(KeyboardInterrupt())).prepare(Passing(numbered_frame(0), 0.0))


def test_an_engine_that_fails_now_and_then_costs_only_those_frames(engine):
    steps = gated_steps(engine)
    told = []
    for failures in (2, 0, 2, 0):
        engine.failures = failures
        told += [str(passed(steps, numbered_frame(0)).error) for _ in range(failures or 1)]
    assert told == ["gated failed", "gated failed", "None", "gated failed", "gated failed", "None"]


def test_an_engine_that_fails_three_times_in_a_row_is_to_blame(engine):
    steps = gated_steps(engine)
    engine.failures = 3
    for _ in range(2):
        assert isinstance(passed(steps, numbered_frame(0)).error, EngineError)
    with pytest.raises(EngineError) as caught:
        passed(steps, numbered_frame(0))
    assert str(caught.value) == "the engine failed on 3 frames in a row: gated failed"
    assert str(caught.value.__cause__) == "gated failed"


def test_a_bad_frame_between_failures_does_not_acquit_the_engine(engine):
    steps = gated_steps(engine, find_retina)
    retina, black = drawn_retina(120, 130)[0], np.zeros((96, 96, 3), np.uint8)
    engine.failures = 3
    for frame in (retina, black, retina, black):
        assert passed(steps, frame).error is not None
    with pytest.raises(EngineError, match="the engine failed on 3 frames in a row"):
        passed(steps, retina)


def test_a_closed_engine_is_no_frames_error(engine):
    steps = gated_steps(engine)
    passing = Passing(numbered_frame(0), 0.0)
    steps.prepare(passing)
    engine.close()
    with pytest.raises(EngineError, match='the engine of model "tiny" is closed; open the model again'):
        steps.infer(passing)
    assert passing.error is None


def test_buffers_come_back_whatever_becomes_of_a_frame(engine, made):
    steps = gated_steps(engine)
    ready = len(made)
    assert ready == 3  # one for each stage
    for number in range(8):
        engine.failures = number % 2
        passed(steps, numbered_frame(number))
    assert len(made) == ready


def test_frames_under_way_do_not_share_buffers(engine, made):
    steps = gated_steps(engine)
    frames = [Passing(numbered_frame(number), 0.0) for number in (20, 60, 90)]
    for stage in (steps.prepare, steps.infer, steps.regroup):
        for passing in frames:
            stage(passing)
    means = [float(passing.segmentation.probability.mean()) for passing in frames]
    assert means[0] < means[1] < means[2]
    assert len(made) == 3
