from dataclasses import replace

import numpy as np
import pytest

from retinagan.runtime.batch.calibre import calibre
from retinagan.runtime.batch.coloring import Coloring, coloring_of, viridis
from retinagan.runtime.batch.ruler import Ruler
from retinagan.runtime.segmenter import Segmentation

FIRST, LAST = [68, 1, 84], [253, 231, 36]  # of viridis, as its authors published it


def result() -> Segmentation:
    probability = np.zeros((20, 20), np.float32)
    probability[5:8, 2:18] = 0.8
    return Segmentation(probability, probability >= 0.4, np.ones((20, 20), bool), {})


def test_the_colours_are_viridis_and_rise_in_lightness():
    colors = viridis(np.arange(256, dtype=np.uint8)[None])[0]
    np.testing.assert_allclose(colors[[0, -1]], [FIRST, LAST], atol=2)
    np.testing.assert_allclose(colors[128], [33, 145, 140], atol=2)
    luminance = colors @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) > -1).all()
    assert luminance[-1] > luminance[0] + 180


def test_values_beyond_the_range_have_the_colour_of_its_end():
    values = np.array([[-1.0, 0.5, 0.75, 1.0, 7.0]], np.float32)
    colors = Coloring(values, 0.5, 1.0, "probability").colors()[0]
    np.testing.assert_allclose(colors[[0, 1]], [FIRST] * 2, atol=2)
    np.testing.assert_allclose(colors[[3, 4]], [LAST] * 2, atol=2)
    np.testing.assert_array_equal(colors[2], viridis(np.array([[128]], np.uint8))[0, 0])


def test_one_colour_unless_another_is_asked_for():
    assert coloring_of("vessels", result(), None) is None


@pytest.mark.parametrize(("threshold", "low"), [(0.4, 0.4), (1.0, 0.99)])
def test_probabilities_of_vessels_begin_at_the_threshold(threshold, low):
    coloring = coloring_of("probability", replace(result(), threshold=threshold), None)
    assert (coloring.low, coloring.high) == (low, 1.0)
    assert coloring.description == f"probability, viridis from {low:g} to 1"
    np.testing.assert_array_equal(coloring.values, result().probability)


def test_calibres_are_in_the_rulers_unit():
    coloring = coloring_of("calibre", result(), Ruler("mm", 0.01, 0.15, "pixel spacing of the file"))
    np.testing.assert_allclose(coloring.values, calibre(result().vessels) * 0.01, rtol=1e-6)
    assert coloring.values[6, 10] == pytest.approx(0.03)
    assert coloring.description == "calibre in mm, viridis from 0 to 0.15+"
