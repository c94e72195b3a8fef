import sys

import numpy as np
import pytest
from adapter_contract import patches
from tiny_model import PATCH, reference_output, write_tiny_model

from retinagan.runtime.engines.cuda.context import PrimaryContext, import_pycuda
from retinagan.runtime.engines.tensorrt.lane import Lane, LaneParts
from retinagan.runtime.engines.tensorrt.log import message_log
from retinagan.runtime.errors import EngineError

MOST = 8


@pytest.fixture
def model(tmp_path):
    return write_tiny_model(tmp_path)


@pytest.fixture
def parts(gpu, model):
    """The parts of a lane, with the GPU's context current."""
    trt, cuda = sys.modules["tensorrt"], import_pycuda()
    context = PrimaryContext(cuda)
    with context.current():
        log = message_log(trt)
        engine = trt.Runtime(log).deserialize_cuda_engine(model.read_bytes())
        parts = LaneParts(cuda, engine, log, MOST, PATCH)
        del engine
        yield parts
        parts.engine = None
    context.release()


@pytest.fixture
def lane(parts):
    lane = Lane(parts)
    yield lane
    lane.close()


def result(lane, image, roi):
    out = np.full((len(image), 1, PATCH, PATCH), np.nan, np.float32)
    lane.run(image, roi, out)
    return out


@pytest.mark.parametrize("count", [1, 5, MOST])
def test_any_number_of_patches_up_to_the_most(lane, model, count):
    image, roi = patches(count)
    np.testing.assert_allclose(result(lane, image, roi), reference_output(model, image, roi), atol=1e-5)


def test_an_earlier_runs_patches_are_not_seen_again(lane, model):
    result(lane, *patches(MOST, seed=1))
    image, roi = patches(2, seed=2)
    np.testing.assert_allclose(result(lane, image, roi), reference_output(model, image, roi), atol=1e-5)


def test_results_are_the_callers_own(lane):
    first = result(lane, *patches(2, seed=1))
    kept = first.copy()
    result(lane, *patches(2, seed=2))
    np.testing.assert_array_equal(first, kept)


def test_memory_is_taken_at_the_start_and_given_back_at_the_end(gpu, parts):
    before = gpu.live()
    lane = Lane(parts)
    assert {name: gpu.live()[name] for name in ("allocations", "pinned", "streams")} == {
        "allocations": 3,
        "pinned": 3,
        "streams": 1,
    }
    for _ in range(5):
        result(lane, *patches(3))
    lane.close()
    assert gpu.live() == before
    lane.close()
    assert gpu.live() == before


def test_the_fourth_run_of_one_number_is_recorded(gpu, lane):
    image, roi = patches(3)
    launches = gpu.launches
    results = [result(lane, image, roi) for _ in range(6)]
    assert gpu.launches - launches == 3
    assert gpu.graphs == 1
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


def test_a_graph_sees_new_patches(lane, model):
    for seed in range(6):
        image, roi = patches(3, seed=seed)
        np.testing.assert_allclose(result(lane, image, roi), reference_output(model, image, roi), atol=1e-5)


def test_another_number_of_patches_drops_the_graph_and_counts_anew(gpu, lane):
    for _ in range(4):
        result(lane, *patches(3))
    launches = gpu.launches
    for _ in range(3):
        result(lane, *patches(2))
    assert (gpu.graphs, gpu.launches) == (0, launches)
    result(lane, *patches(2))
    assert (gpu.graphs, gpu.launches) == (1, launches + 1)


def test_what_cannot_be_recorded_is_not_tried_again(gpu, lane, model):
    image, roi = patches(2)
    expected = reference_output(model, image, roi)
    gpu.refuses_recording = 1
    for _ in range(4):
        np.testing.assert_allclose(result(lane, image, roi), expected, atol=1e-5)
    gpu.refuses_recording = 0
    launches = gpu.launches
    for _ in range(4):
        np.testing.assert_allclose(result(lane, image, roi), expected, atol=1e-5)
    assert (gpu.graphs, gpu.launches) == (0, launches)


@pytest.mark.parametrize("allocations", range(6))
def test_too_little_memory_says_for_what_and_frees_what_there_was(gpu, parts, allocations):
    before = gpu.live()
    gpu.allocations_left = allocations
    with pytest.raises(EngineError) as caught:
        Lane(parts)
    assert str(caught.value).startswith("the GPU has no memory for 8 patches of 64 x 64 (")
    assert str(caught.value).endswith("): close other programs, or build the engine for fewer with --batch")
    caught.value.__traceback__ = None
    assert gpu.live() == before


def test_no_execution_context(parts, behaviour):
    behaviour.gives_context = False
    with pytest.raises(EngineError) as caught:
        Lane(parts)
    assert str(caught.value) == "TensorRT cannot make an execution context: no memory for activations"


def test_a_run_that_is_refused_can_be_tried_again(lane, behaviour, model):
    image, roi = patches(2)
    behaviour.runs = False
    with pytest.raises(EngineError) as caught:
        result(lane, image, roi)
    assert str(caught.value) == "TensorRT rejects the run: enqueue failed"
    behaviour.runs = True
    np.testing.assert_allclose(result(lane, image, roi), reference_output(model, image, roi), atol=1e-5)


def test_a_shape_that_was_refused_is_told_again(lane, behaviour, model):
    image, roi = patches(2)
    behaviour.takes_shapes = False
    with pytest.raises(EngineError) as caught:
        result(lane, image, roi)
    assert str(caught.value) == "TensorRT rejects the shape (2, 3, 64, 64): image: shape out of profile"
    behaviour.takes_shapes = True
    np.testing.assert_allclose(result(lane, image, roi), reference_output(model, image, roi), atol=1e-5)


def test_cuda_fails(gpu, lane):
    gpu.synchronize_error = 700
    with pytest.raises(EngineError, match="CUDA failed: cuStreamSynchronize failed"):
        result(lane, *patches(1))
