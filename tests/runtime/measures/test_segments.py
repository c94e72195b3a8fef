import pytest
from vessel_drawings import arc, draw, line

pytest.importorskip("skimage")

from retinagan.runtime.measures.measure import measure
from retinagan.runtime.measures.quantities import Scale


def test_a_segment_says_where_it_runs_and_what_it_is():
    drawn = draw([line((-0.3, -0.2), (-0.1, -0.3), 0.02)], 600)
    (segment,) = measure(drawn).segments
    assert {segment.start_at, segment.end_at} == {"end"}
    assert (segment.ring, segment.quadrant) == ("middle", "upper_left")
    assert segment.calibre == pytest.approx(0.02 * 576, rel=0.05)
    assert segment.length == pytest.approx(0.2236 * 576, rel=0.05)
    assert segment.arc_over_chord == pytest.approx(1, abs=0.005)
    values = segment.in_units(Scale(degrees=0.1, millimetres=None))
    assert values["length_degrees"] == pytest.approx(segment.length / 10)
    assert values["calibre_millimetres"] is None


def test_what_is_at_the_ends():
    drawn = draw([line((0, 0), (0.7, 0), 0.02), line((0.1, 0), (0.2, 0.3), 0.015)], 600)
    found = sorted(tuple(sorted((one.start_at, one.end_at))) for one in measure(drawn).segments)
    assert found == [("end", "junction"), ("end", "junction"), ("junction", "rim")]


def test_a_ring_ends_at_itself():
    (segment,) = measure(draw([arc((0, 0), 0.2, (0, 360), 0.02)], 400)).segments
    assert (segment.start_at, segment.end_at) == ("loop", "loop")
    assert segment.arc_over_chord is None
