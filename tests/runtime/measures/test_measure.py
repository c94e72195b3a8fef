from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from vessel_drawings import arc, draw, line, wave

pytest.importorskip("skimage")

from retinagan.runtime import ImageError, OptionError, measure
from retinagan.runtime.measures.quantities import QUANTITIES

EYE = [
    line((-0.4, -0.2), (0.4, -0.25), 0.012),
    line((-0.42, -0.1), (0.42, 0.02), 0.008),
    wave((-0.4, 0.1), (0.4, 0.14), 0.02, 4, 0.006),
    wave((-0.35, 0.22), (0.35, 0.22), 0.03, 2, 0.010),
    arc((0, 0.2), 0.6, (-120, -60), 0.005),
    line((-0.2, 0.3), (0.2, 0.42), 0.0045),
    line((0, -0.42), (0.1, -0.47), 0.015),
]
"""Vessels apart from one another, as wide as those of the retina: their measures are known exactly."""

BRANCHES = [
    wave((-0.5, 0), (0.5, 0.05), 0.03, 1.5, 0.016),
    line((-0.2, 0.02), (0.1, 0.4), 0.009),
    line((0.1, 0), (0.3, -0.35), 0.011),
    line((-0.05, 0.21), (-0.2, 0.35), 0.006),
    arc((0.2, -0.2), 0.3, (160, 215), 0.008),
]
"""Vessels that branch and run over the rim."""

LENGTH = sum(vessel.length for vessel in EYE)
SIZES = (600, 1000, 3000)


def by_length(attribute):
    return sum(vessel.length * getattr(vessel, attribute) for vessel in EYE) / LENGTH


@cache
def measured(size, branches=False):
    drawn = draw(BRANCHES if branches else EYE, size)
    return measure(drawn, field_of_view=45.0, every_measure=True)


@pytest.mark.parametrize("size", SIZES)
def test_a_drawn_eye_is_measured_right(size):
    found = measured(size)
    assert found["length_degrees"] == pytest.approx(45 * LENGTH, rel=0.01)
    assert found["calibre_mean_degrees"] == pytest.approx(45 * by_length("width"), rel=0.03)
    assert found["arc_over_chord"] - 1 == pytest.approx(by_length("arc_over_chord") - 1, rel=0.05)
    assert found["curvature_per_degree"] == pytest.approx(by_length("curvature") / 45, rel=0.07)
    assert (found["segments"], found["junctions"], found["end_points"]) == (7, 0, 14)
    area = sum(vessel.length * vessel.width + np.pi / 4 * vessel.width**2 for vessel in EYE)
    assert found["area_density"] == pytest.approx(area / (np.pi / 4), rel=0.02)
    assert found["length_density_per_degree"] == pytest.approx(LENGTH / 45 / (np.pi / 4), rel=0.01)


ONE_SIZE = [
    "area_density",
    "length_degrees",
    "length_density_per_degree",
    "calibre_mean_degrees",
    "calibre_10th_percentile_degrees",
    "calibre_median_degrees",
    "calibre_90th_percentile_degrees",
    "arc_over_chord",
    "curvature_per_degree",
    "box_dimension",
    "segments",
    "junctions",
    "end_points",
]


@pytest.mark.parametrize("size", SIZES[:2])
@pytest.mark.parametrize("column", ONE_SIZE)
def test_a_drawn_eye_measures_alike_at_all_sizes(column, size):
    assert measured(size, True)[column] == pytest.approx(measured(3000, True)[column], rel=0.05)


def test_vessels_that_branch_and_run_over_the_rim():
    found = measured(1000, True)
    assert (found["junctions"], found["end_points"]) == (3, 5)


def test_rings_and_quadrants_add_up():
    drawn = draw(BRANCHES, 600)
    found = measure(drawn, every_measure=True)
    weights = {"inner": 1 / 9, "middle": 3 / 9, "outer": 5 / 9}
    for name, form in (("area_density", "{}_{}"), ("length_density", "{}_{}_per_pixel")):
        whole = found[name if name == "area_density" else f"{name}_per_pixel"]
        rings = sum(found[form.format(name, ring)] * weight for ring, weight in weights.items())
        quadrants = [f"{a}_{b}" for a in ("upper", "lower") for b in ("left", "right")]
        quarters = sum(found[form.format(name, quadrant)] for quadrant in quadrants) / 4
        assert rings == pytest.approx(whole, rel=0.01)
        assert quarters == pytest.approx(whole, rel=0.01)


def test_units_are_known_only_where_they_are_given():
    drawn = draw(EYE, 400)
    plain = measure(drawn)
    assert plain["length_degrees"] is None
    assert plain["length_millimetres"] is None
    both = measure(drawn, field_of_view=45.0, pixel_spacing=(0.02, 0.02))
    assert both["length_degrees"] == pytest.approx(both["length_pixels"] * 45 / 384)
    assert both["length_millimetres"] == pytest.approx(both["length_pixels"] * 0.02)
    assert both["length_density_per_millimetre"] == pytest.approx(both["length_density_per_pixel"] / 0.02)


def test_without_a_disc_the_circle_round_the_region_counts():
    drawn = draw(EYE, 400)
    found = measure(replace(drawn, disc=None), field_of_view=45.0)
    assert found["length_degrees"] == pytest.approx(
        measure(drawn, field_of_view=45.0)["length_degrees"], rel=0.01
    )


def test_vessels_outside_the_region_do_not_count():
    drawn = draw(EYE, 400)
    vessels = drawn.vessels | ~drawn.roi
    assert measure(replace(drawn, vessels=vessels)).values == measure(drawn).values


def test_a_map_without_vessels_has_nothing_to_measure_calibre_on():
    drawn = draw([], 300)
    found = measure(drawn, field_of_view=45.0, every_measure=True)
    assert found["area_density"] == 0
    assert found["length_degrees"] == 0
    assert found["calibre_mean_degrees"] is None
    assert found["box_dimension"] is None
    assert found["junctions"] == 0
    assert found.segments == ()


def test_a_map_without_a_region():
    drawn = draw(EYE, 300)
    found = measure(replace(drawn, roi=np.zeros_like(drawn.roi), disc=None), every_measure=True)
    assert found["area_density"] is None
    assert found["length_pixels"] == 0


def test_noise_and_full_maps_give_finite_values():
    drawn = draw([], 200)
    noise = np.random.default_rng(0).random((200, 200)) < 0.3
    for vessels in (noise, np.ones_like(noise)):
        found = measure(replace(drawn, vessels=vessels), every_measure=True)
        assert all(value is None or np.isfinite(value) for value in found.values.values())


def test_measures_that_are_not_default_come_when_asked_for():
    drawn = draw(EYE, 300)
    some, all_of_them = measure(drawn).values, measure(drawn, every_measure=True).values
    extra = {column for one in QUANTITIES if not one.default for column in one.columns()}
    assert set(all_of_them) - set(some) == extra
    assert {column: all_of_them[column] for column in some} == dict(some)


@pytest.mark.parametrize("spacing", [0, -0.01, 5, float("nan"), (0.01, 0.01, 0.01), ()])
def test_a_spacing_that_no_retina_has(spacing):
    with pytest.raises(OptionError, match="expected millimetres on the retina between 0 and 1"):
        measure(draw([], 50), pixel_spacing=spacing)


def test_pixels_that_are_not_square():
    with pytest.raises(OptionError, match="only square pixels can be measured"):
        measure(draw([], 50), pixel_spacing=(0.01, 0.012))


def test_an_angle_that_no_camera_has():
    with pytest.raises(ImageError, match="field of view"):
        measure(draw([], 50), field_of_view=500)


def test_map_and_region_of_different_shapes():
    drawn = draw([], 50)
    with pytest.raises(ImageError, match=r"vessels \(40, 50\) and roi \(50, 50\); expected one shape"):
        measure(replace(drawn, vessels=drawn.vessels[:40]))


def test_a_map_that_is_no_mask():
    drawn = draw([], 50)
    with pytest.raises(ImageError, match=r"got a map \(50, 50\) float32; expected \(height, width\) bool"):
        measure(replace(drawn, vessels=drawn.probability))
