import math

import pytest

from retinagan.runtime.errors import OptionError
from retinagan.runtime.model.density import at_density, doubts_of_density
from retinagan.runtime.model.parameters import Preprocessing
from retinagan.runtime.model.spec import ModelSpec

OWN = Preprocessing(pixels_per_degree=20.0, largest_magnification=2.0)


@pytest.mark.parametrize("density", [20.0, 13, 6, 30.0])
def test_another_density_changes_nothing_else(density):
    changed = at_density(OWN, density, "a")
    assert changed == Preprocessing(pixels_per_degree=float(density), largest_magnification=2.0)
    assert isinstance(changed.pixels_per_degree, float)


@pytest.mark.parametrize("density", [30.1, 5.9, 0.0, -5.0, math.inf, math.nan])
def test_other_densities_are_refused(density):
    with pytest.raises(OptionError) as caught:
        at_density(OWN, density, "a")
    assert str(caught.value) == (
        f"pixels per degree: got {density:g}; expected 6 to 30, around the 20 of model a: less loses too "
        "many vessels, more takes too long"
    )


@pytest.mark.parametrize("density", ["13", [13], None])
def test_what_is_no_number_is_refused(density):
    with pytest.raises(OptionError) as caught:
        at_density(OWN, density, "a")
    assert str(caught.value) == f"pixels per degree: got {density!r}; expected a number, such as 13"


def test_a_fixed_working_size_takes_no_density():
    with pytest.raises(OptionError) as caught:
        at_density(Preprocessing(working_size=608), 13.0, "a")
    assert str(caught.value) == (
        "pixels per degree: got 13, but model a has a fixed working size of 608 pixels; leave it out, or use "
        "a model with a density, such as retina-gan-small"
    )


def spec_of(preprocessing: Preprocessing) -> ModelSpec:
    return ModelSpec("a", "a.onnx", "fp32", 0.5, preprocessing=preprocessing)


@pytest.mark.parametrize("density", [30.0, 20.0, 10.0])
def test_half_the_density_is_not_doubted(density):
    assert doubts_of_density(spec_of(OWN), spec_of(at_density(OWN, density, "a"))) == ()


def test_less_than_half_the_density_is_doubted():
    (doubt,) = doubts_of_density(spec_of(OWN), spec_of(at_density(OWN, 9.5, "a")))
    assert str(doubt) == (
        "coarse-scale: the network sees 9.5 pixels per degree, less than half of the 20 of its model; thin "
        "vessels are lost"
    )


def test_a_fixed_working_size_is_not_doubted():
    fixed = spec_of(Preprocessing(working_size=608))
    assert doubts_of_density(fixed, fixed) == ()
