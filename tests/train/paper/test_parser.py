import pytest

from retinagan.runtime.errors import OptionError
from retinagan.train.paper.parser import ITERATIONS, parse


def test_options_of_a_training_are_passed_on():
    arguments, more = parse(["--data", "in", "--seed", "3"])
    assert (arguments.data, arguments.iterations, more) == ("in", ITERATIONS, ["--seed", "3"])


def test_what_neither_command_knows_is_named():
    with pytest.raises(OptionError, match=r"unknown to this command and to retina-train: --epochs 3"):
        parse(["--data", "in", "--epochs", "3"])


def test_a_wrong_option_of_a_training_is_named_too():
    with pytest.raises(OptionError, match="argument --seed: invalid int value: 'one'; see retina-reproduce"):
        parse(["--data", "in", "--seed", "one"])
