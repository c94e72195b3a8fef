"""Whatever frames come and whenever a stream ends: each frame is accounted for, and no thread is left."""

from dataclasses import dataclass

import numpy as np
from drawn_retina import drawn_retina
from gated_engine import GatedEngine, gated_steps, stream_threads
from hypothesis import given, settings
from hypothesis import strategies as st

from retinagan.runtime import RetinaGanError
from retinagan.runtime.retina.still import StillRetina
from retinagan.runtime.stream.stream import Stream, StreamOptions


@dataclass(frozen=True)
class Visit:
    """What a camera sends; `breaks` says whether it then fails, `taken` how many results are fetched."""

    frames: list
    breaks: bool
    taken: int


def arrays():
    """Any array that a camera's driver could hand over by mistake, and some that it should."""
    shapes = st.lists(st.integers(0, 40), max_size=4).map(tuple)
    dtypes = st.sampled_from(
        ["uint8", "uint16", ">u2", "int8", "float32", "float64", "bool", "complex64", "S3"]
    )
    return st.builds(lambda shape, dtype: np.zeros(shape, dtype), shapes, dtypes)


def frames():
    """Frames of retinas, of noise, of nothing, and what is no frame."""
    retinas = st.builds(lambda height, width: drawn_retina(height, width)[0], *[st.integers(40, 90)] * 2)
    noise = st.integers(0, 99).map(
        lambda seed: np.random.default_rng(seed).integers(0, 256, (50, 60, 3), np.uint8)
    )
    strange = st.sampled_from(
        [None, "frame", 5, float("nan"), [[1, 2], [3, 4]], np.float32(1), b"", object()]
    )
    views = retinas.map(lambda image: image[::-1, ::2])
    return st.one_of(retinas, noise, arrays(), strange, views)


visits = st.builds(Visit, st.lists(frames(), max_size=8), st.booleans(), st.integers(0, 12))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(visit=visits, policy=st.sampled_from(["every", "latest"]), queue=st.integers(1, 3))
def test_any_visit(visit, policy, queue):
    def source():
        yield from visit.frames
        if visit.breaks:
            raise OSError("unplugged")

    results, failure = [], None
    with (
        GatedEngine() as engine,
        Stream(gated_steps(engine, StillRetina()), StreamOptions(policy, queue), source()) as stream,
    ):
        try:
            for _ in range(visit.taken):
                results.append(next(stream))
        except StopIteration:
            assert not visit.breaks
        except OSError as error:
            failure = error
        finished = len(results) < visit.taken
    statistics = stream.statistics()
    assert stream_threads() == []
    assert (failure is not None) == (finished and visit.breaks)
    numbers = [result.number for result in results]
    assert numbers == sorted(set(numbers))
    for result in results:
        assert result.frame is visit.frames[result.number]
        assert (result.segmentation is None) != (result.error is None)
        assert result.error is None or isinstance(result.error, RetinaGanError)
        assert not str(result.error).startswith("unexpected")
        if result.segmentation is not None:
            assert result.segmentation.probability.shape == result.frame.shape[:2]
            assert np.isfinite(result.segmentation.probability).all()
    if finished:
        assert statistics.received == len(visit.frames)
        assert len(results) == statistics.received - statistics.dropped
        assert statistics.dropped == 0 or policy == "latest"
        assert statistics.segmented + statistics.failed == len(results)
