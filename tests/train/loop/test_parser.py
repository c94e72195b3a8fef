import re

import pytest

from retinagan.runtime.errors import OptionError
from retinagan.train.loop.parser import build_parser


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("--widths", "wide", "got 'wide', expected channels such as 16,32,64"),
        ("--scale", "1", "got '1', expected two factors such as 0.75,1.6"),
        ("--scale", "1,b", "got '1,b', expected two factors such as 0.75,1.6"),
    ],
)
def test_what_is_no_number_is_explained(flag, value, message):
    with pytest.raises(OptionError, match=re.escape(message)):
        build_parser().parse_args(["--data", "somewhere/mine", flag, value])
