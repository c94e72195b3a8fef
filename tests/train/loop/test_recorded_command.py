import pytest

from retinagan.train.loop.arguments import options_of
from retinagan.train.loop.options import TrainingOptions
from retinagan.train.loop.parser import build_parser
from retinagan.train.loop.recorded_command import command_of


def parsed(*words):
    return build_parser().parse_args(["--data", "somewhere/mine", *words])


def test_of_the_standard_training_it_names_the_data_alone():
    assert command_of(parsed(), TrainingOptions()) == "retina-train --data mine"


@pytest.mark.parametrize(
    ("words", "recorded"),
    [
        ("--init retina-gan-drive", "--init retina-gan-drive"),
        (
            "--largest-magnification 2 --pixels-per-degree 26",
            "--pixels-per-degree 26.0 --largest-magnification 2.0",
        ),
    ],
)
def test_the_command_does_not_name_what_follows_from_the_rest(words, recorded):
    arguments = parsed(*words.split())
    assert command_of(arguments, options_of(arguments)) == f"retina-train --data mine {recorded}"


def test_the_command_names_what_decides_and_no_place_on_this_machine():
    arguments = parsed("--out", "/here", "--seed", "3", "--threads", "2", "--split", "all", "--tensorboard")
    assert command_of(arguments, options_of(arguments)) == "retina-train --data mine --split all --seed 3"


def test_the_command_gives_the_same_options_again():
    first = parsed("--scale", "0.5,2", "--widths", "8,16", "--colour-jitter", "0", "--working-size", "640")
    words = command_of(first, options_of(first)).split()[1:]
    assert options_of(build_parser().parse_args(words)) == options_of(first)
