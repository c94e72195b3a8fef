import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from drawn_retina import drawn_retina

from retinagan.train.data.images import LabelledImage

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
SHIFTS = importlib.import_module("synthetic_shifts").SHIFTS


def labelled():
    image, lines = drawn_retina(150, 140, angles=(20, 75, 130))
    fov = image.max(axis=2) > 0
    return LabelledImage("drawn", image, lines.astype(bool) & fov, fov, lines.astype(bool) & fov)


@pytest.mark.parametrize("name", SHIFTS)
def test_every_shift_keeps_image_and_maps_together(name):
    source = labelled()
    shifted = SHIFTS[name].apply(source)
    assert shifted.image.dtype == np.uint8
    assert shifted.image.flags.c_contiguous
    assert shifted.image.shape == (*shifted.truth.shape, 3)
    assert shifted.truth.dtype == shifted.fov.dtype == bool
    assert shifted.truth.shape == shifted.fov.shape == shifted.second.shape
    assert shifted.truth.any()
    assert (shifted.truth <= shifted.fov).mean() > 0.999
    # Vessels are drawn dark: wherever they moved to, the map still lies on them.
    green = shifted.image[..., 1].astype(float)
    vessels, others = green[shifted.truth], green[shifted.fov & ~shifted.truth]
    assert vessels.mean() < others.mean()
    assert (name == "none") == (
        shifted.image.shape == source.image.shape and (shifted.image == source.image).all()
    )


@pytest.mark.parametrize("name", SHIFTS)
def test_a_shift_is_the_same_each_time_and_leaves_its_source(name):
    source = labelled()
    kept = source.image.copy()
    first, second = SHIFTS[name].apply(source), SHIFTS[name].apply(source)
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(source.image, kept)


@pytest.mark.parametrize(
    "name", [name for name, shift in SHIFTS.items() if shift.group in ("light", "optics")]
)
def test_light_and_optics_leave_the_surround(name):
    source = labelled()
    shifted = SHIFTS[name].apply(source)
    np.testing.assert_array_equal(shifted.image[~source.fov], source.image[~source.fov])


def test_a_cast_multiplies_its_channels():
    source = labelled()
    shifted = SHIFTS["yellow cast"].apply(source)
    inside = source.image[source.fov].astype(float)
    np.testing.assert_allclose(shifted.image[source.fov], inside * (1.0, 0.85, 0.4), atol=0.51)


def test_sizes_are_as_named():
    for width in (400, 1000, 3000):
        shifted = SHIFTS[f"{width} pixels wide"].apply(labelled())
        assert shifted.truth.shape == (round(150 * width / 140), width)
        assert shifted.truth.mean() == pytest.approx(labelled().truth.mean(), rel=0.1)


def test_a_narrower_field_shows_wider_vessels_behind_the_same_fov():
    source = labelled()
    shifted = SHIFTS["field of 30 degrees for 45"].apply(source)
    np.testing.assert_array_equal(shifted.fov, source.fov)
    # The lines cross the centre, so that their share grows by the magnification, less what fewer of them fit.
    assert shifted.truth.sum() > 1.2 * source.truth.sum()


def test_a_cut_square_is_all_retina():
    shifted = SHIFTS["square inside the disc"].apply(labelled())
    assert shifted.fov.mean() > 0.999
    assert SHIFTS["top and bottom cut off"].apply(labelled()).fov.mean() < 0.95


def test_off_the_centre_adds_black_alone():
    source = labelled()
    shifted = SHIFTS["off the centre"].apply(source)
    assert shifted.truth.shape == (225, 210)
    np.testing.assert_array_equal(shifted.image[:150, :140], source.image)
    assert not shifted.image[150:].any()
    assert shifted.fov.sum() == source.fov.sum()
