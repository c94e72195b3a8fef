import json

import pytest

from retinagan.runtime.model.parameters import Preprocessing
from retinagan.train.data.colour_jitter import ColourJitter
from retinagan.train.data.geometric_jitter import GeometricJitter
from retinagan.train.loop.options import StageOptions, TrainingOptions


def test_options_survive_json():
    options = TrainingOptions(
        model="gan",
        widths=(8, 16),
        preprocessing=Preprocessing("none", 5.0, 256),
        patches=StageOptions(5, 1e-3, dice_weight=0.3),
        adversarial=StageOptions(7, 1e-4, adversarial_weight=0.2),
        colour=ColourJitter(gamma=(0.5, 2.0)),
        geometry=GeometricJitter(scale=(1.0, 1.5)),
        seed=4,
        stem=2,
        weights=(1, 2.5),
    )
    assert TrainingOptions.from_plain(json.loads(json.dumps(options.to_plain()))) == options


def test_options_of_an_earlier_version_are_refused():
    plain = TrainingOptions().to_plain()
    del plain["reuse"]
    with pytest.raises(ValueError, match="its images were jittered in another way"):
        TrainingOptions.from_plain(plain)


@pytest.mark.parametrize(
    ("model", "expected"), [("gan", True), ("unet", False), ("ru-net", False), ("retina-gan", True)]
)
def test_which_systems_have_a_discriminator(model, expected):
    assert TrainingOptions(model=model).has_discriminator is expected


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"model": "vgg"}, "unknown model 'vgg'"),
        (
            {"patch": 100},
            "patches of 100 pixels: expected a multiple of 8, such as --patch 96",
        ),
        ({"patch": -3}, "such as --patch 8"),
        ({"patch": 520}, "patches of 520 pixels: the limit is the working size of 512 pixels"),
        (
            {"patch": 96, "adversarial": StageOptions(3, 1e-3)},
            "patches of 96 pixels: whole images.* divide the working size of 512 pixels, such as --patch 64",
        ),
        ({"patch": 4}, "patches of 4 pixels: expected a multiple of 8"),
        ({"patches": StageOptions(0, 1e-3)}, "nothing to train: both stages have 0 iterations"),
        (
            {"model": "unet", "adversarial": StageOptions(3, 1e-3, adversarial_weight=0.05)},
            "unet has no discriminator: choose gan or retina-gan, or give --adversarial-weight 0",
        ),
        (
            {
                "preprocessing": Preprocessing("ace", 5.0, 32),
                "patch": 32,
                "adversarial": StageOptions(3, 1e-3),
            },
            "working size 32: the discriminator needs at least 64",
        ),
        (
            {"patches": StageOptions(-1, 1e-3), "adversarial": StageOptions(3, 1e-3)},
            "-1 iterations on patches and 3 adversarial ones: expected 0 or more of each",
        ),
        ({"precision": "int8"}, "unknown precision 'int8': expected one of fp32, bf16, fp16"),
        ({"accumulate": 3}, "--accumulate 3: expected a number that divides --batch 16"),
        ({"accumulate": 0}, "--accumulate 0: expected a number that divides --batch 16"),
        (
            {"accumulate": 2, "adversarial": StageOptions(3, 1e-3)},
            "--accumulate 2: expected a number that divides --image-batch 1",
        ),
        ({"batch": 0}, "--batch 0: expected 1 to 4096"),
        ({"batch": 100_000_000}, "--batch 100000000: expected 1 to 4096"),
        ({"image_batch": -1}, "--image-batch -1: expected 1 to 4096"),
        ({"reuse": 0}, "--reuse 0: expected 1 to 4096"),
        ({"weights": (1.0, 0.0)}, "--weights 1,0: expected numbers above 0"),
        ({"stem": 3}, "stem must be one of 1, 2, 4, got 3"),
        (
            {"preprocessing": Preprocessing(pixels_per_degree=20.0), "stem": 4, "widths": (4,) * 5},
            "squares of multiples of 32 pixels: the net takes multiples of 64",
        ),
        ({"ema": 2.0}, r"--ema 2.0: expected 0 \(none\) to below 1"),
    ],
)
def test_options_that_cannot_work_are_explained(wrong, message):
    with pytest.raises(ValueError, match=message):
        TrainingOptions(**wrong)
