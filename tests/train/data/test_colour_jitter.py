import numpy as np
import pytest

from retinagan.train.data.colour_jitter import ColourJitter, jitter_colours


def numbers(seed=0):
    return np.random.default_rng(seed)


def test_colours_change_but_type_and_shape_stay():
    image = numbers().integers(40, 200, (32, 32, 3), np.uint8)
    random, jitter = numbers(), ColourJitter(probability=1.0)
    first, second = jitter_colours(image, jitter, random), jitter_colours(image, jitter, random)
    assert first.dtype == np.uint8
    assert first.shape == image.shape
    assert (first != second).any()
    np.testing.assert_array_equal(jitter_colours(image, jitter, numbers()), first)


def test_no_chance_leaves_the_colours():
    image = numbers().integers(0, 256, (16, 16, 3), np.uint8)
    np.testing.assert_array_equal(jitter_colours(image, ColourJitter(probability=0.0), numbers()), image)


@pytest.mark.parametrize("factor", [0.0, 0.5, 3.0])
def test_colours_change_as_much_as_asked_for(factor):
    image = numbers().integers(60, 180, (16, 16, 3), np.uint8)
    changes = []
    for jitter in (ColourJitter(probability=1.0), ColourJitter(probability=1.0).scaled(factor)):
        random = numbers()
        drawn = [jitter_colours(image, jitter, random).astype(int) for _ in range(8)]
        changes.append(np.abs(np.array(drawn) - image).mean())
    assert (changes[1] > changes[0]) == (factor > 1.0)
    assert factor or changes[1] < 1.0


@pytest.mark.parametrize(
    "only",
    [
        {"brightness": 0.25}, {"contrast": 0.3}, {"saturation": 0.3}, {"shift": 0.06},
        {"gamma": (0.65, 1.55)}, {"noise": 0.015}, {"blur": 1.0}, {"illumination": 0.2}, {"jpeg": 20.0},
    ],
)  # fmt: skip
def test_each_kind_of_change_is_made(only):
    image = numbers().integers(60, 180, (32, 32, 3), np.uint8)
    nothing = ColourJitter(2.0).scaled(0.0)
    random = numbers()
    without = [jitter_colours(image, nothing, random).astype(int) - image for _ in range(4)]
    changed = ColourJitter(**{**vars(nothing), **only})
    random = numbers()
    with_it = [jitter_colours(image, changed, random).astype(int) - image for _ in range(4)]
    assert np.abs(with_it).mean() > np.abs(without).mean() + 0.5


def test_saturation_0_is_grey():
    image = numbers().integers(60, 180, (32, 32, 3), np.uint8)
    nothing = ColourJitter(2.0).scaled(0.0)
    least = min(
        float(np.ptp(jitter_colours(image, ColourJitter(**{**vars(nothing), "saturation": 1.0}), numbers(k)),
                     axis=2).mean())
        for k in range(20)
    )  # fmt: skip
    assert least < 0.25 * float(np.ptp(image, axis=2).mean())


def test_the_usual_strength_is_the_usual_jitter():
    assert ColourJitter().scaled(1.0) == ColourJitter()
