import pytest

from retinagan.runtime.errors import OptionError
from retinagan.train.scores.parser import build_parser


def test_an_angle_is_a_way_or_that_of_a_dataset():
    words = ["model", "--data", "in", "--field-of-view", "both", "--field-of-view", "HRF=60"]
    assert build_parser().parse_args(words).field_of_view == ["both", ("HRF", 60.0)]


def test_another_way_to_set_the_angle_is_refused():
    with pytest.raises(
        OptionError, match="got 'wide', expected known, assumed, both, or the angle of a dataset"
    ):
        build_parser().parse_args(["model", "--data", "in", "--field-of-view", "wide"])
