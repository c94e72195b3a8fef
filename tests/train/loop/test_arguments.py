import pytest

from retinagan.runtime.errors import ModelError, OptionError
from retinagan.train.loop import devices
from retinagan.train.loop.arguments import options_of
from retinagan.train.loop.options import TrainingOptions
from retinagan.train.loop.parser import build_parser


def parsed(*words):
    return build_parser().parse_args(["--data", "somewhere/mine", *words])


def test_without_options_the_standard_training_is_meant(monkeypatch):
    monkeypatch.setattr(devices, "_cpu_flags", frozenset)  # a CPU that computes in bfloat16 would take that
    assert options_of(parsed()) == TrainingOptions()


def test_a_bundled_model_decides_what_is_trained_on_from_it():
    options = options_of(parsed("--init", "retina-gan-drive"))
    assert options.widths == (16, 32, 64, 128)
    assert (options.preprocessing.working_size, options.patch) == (608, 152)


@pytest.mark.parametrize(("name", "steps", "stem"), [("retina-gan", 2, 2), ("retina-gan-small", 1, 4)])
def test_it_decides_scale_steps_and_stem_too(name, steps, stem):
    options = options_of(parsed("--init", name))
    assert (options.widths, options.steps, options.stem) == ((24, 48, 96), steps, stem)
    assert (options.preprocessing.working_size, options.preprocessing.pixels_per_degree) == (None, 26.0)


def test_what_is_given_goes_before_what_the_model_to_start_from_decides():
    given = "--working-size 512 --patch 256 --preprocess none --steps 3 --layers 2 --widths 4,8"
    options = options_of(parsed("--init", "retina-gan-drive", *given.split()))
    assert (options.preprocessing.working_size, options.preprocessing.method) == (512, "none")
    assert (options.patch, options.steps, options.layers, options.widths) == (256, 3, 2, (4, 8))


def test_the_papers_sixteen_patches_follow_the_working_size():
    assert options_of(parsed("--working-size", "608")).patch == 152


@pytest.mark.parametrize(
    ("words", "patch"),
    [
        ("--pixels-per-degree 18", 208),
        ("--pixels-per-degree 18 --stem 4", 224),  # a quarter is 208, which blocks of 4 do not fill
        ("--pixels-per-degree 9 --stem 2", 112),  # a quarter is 104
        ("--working-size 608 --stem 2 --adversarial-iterations 5", 304),  # 160 does not divide the square
    ],
)
def test_the_usual_patch_fits_the_net_and_the_square(words, patch):
    assert options_of(parsed(*words.split())).patch == patch


def test_a_model_to_start_from_that_is_not_there_is_named():
    with pytest.raises(
        ModelError,
        match=r"retina-gan-tiny.*bundled checkpoints: retina-gan, retina-gan-drive, retina-gan-research, "
        "retina-gan-small",
    ):
        options_of(parsed("--init", "retina-gan-tiny"))


def test_an_image_may_be_enlarged_where_the_scale_is_a_density():
    words = ["--pixels-per-degree", "26", "--largest-magnification", "2"]
    assert options_of(parsed(*words)).preprocessing.largest_magnification == 2.0
    assert options_of(parsed("--pixels-per-degree", "26")).preprocessing.largest_magnification == 1.0
    with pytest.raises(OptionError, match="--largest-magnification 2: it needs --pixels-per-degree"):
        options_of(parsed("--largest-magnification", "2"))
    with pytest.raises(ModelError, match=r"largest_magnification: got 9\.0; expected a number from 1 to 4"):
        options_of(parsed("--pixels-per-degree", "26", "--largest-magnification", "9"))
