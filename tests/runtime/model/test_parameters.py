from dataclasses import fields

import pytest

from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.parameters import Confidence, NetworkInput, Preprocessing, Tiling
from retinagan.runtime.steps.equalize import METHODS


def test_options_given_in_python_are_checked_alike():
    with pytest.raises(ModelError, match='method: got "histogram"'):
        Preprocessing(method="histogram")
    with pytest.raises(ModelError, match="patch: got 4; expected a whole number from 8 to 8192"):
        Tiling(patch=4)
    with pytest.raises(ModelError, match=r"mean: got \[0.5, 0.5, 0.5\]; expected 3 numbers"):
        NetworkInput(mean=[0.5, 0.5, 0.5])


def test_a_density_takes_the_place_of_the_working_size():
    dense = Preprocessing(pixels_per_degree=20.0)
    assert dense.working_size is None
    assert dense.usual_size == 928  # 20 pixels a degree at 45 degrees, filled up to a multiple of 32
    with pytest.raises(ModelError, match="the working size is 20 pixels per degree, not one fixed number"):
        _ = dense.fixed_size
    with pytest.raises(ModelError, match=r"working_size: got 608 beside pixels_per_degree 20; expected one"):
        Preprocessing(working_size=608, pixels_per_degree=20.0)


def test_each_method_of_the_spec_is_there():
    (rule,) = fields(Preprocessing)[0].metadata.values()
    assert set(rule.choices) == set(METHODS)


@pytest.mark.parametrize(("name", "value"), [("bound", 1.5), ("slope", 0.0), ("gain", -1.0), ("thin", 101.0)])
def test_a_confidence_out_of_range_is_refused(name, value):
    with pytest.raises(ModelError, match=f"{name}: got .*; expected a number from"):
        Confidence(**{name: value})
