import re

import cv2
import numpy as np
import pytest
from drawn_retina import drawn_retina

from retinagan.runtime.errors import NoRetinaError
from retinagan.runtime.retina.plausibility import refuse_empty, refuse_implausible

EXPECTED = "expected a fundus image: a bright retina, with or without a dark margin"
SHAPE = (200, 240)
WHOLE = np.ones(SHAPE, np.bool_)


def signal(image):
    """The brightest channel, blurred, as `find_retina` gives it."""
    return cv2.GaussianBlur(cv2.medianBlur(image.max(axis=2), 5), (0, 0), 1.0).astype(np.float32)


def plain(*color):
    return np.broadcast_to(np.uint8(color), (*SHAPE, 3)).copy()


def striped(colors, widths):
    """Columns of several colours, with a little texture, so that no colour fills the picture."""
    edges = np.cumsum(np.multiply(widths, SHAPE[1])).astype(int)
    column = np.searchsorted(edges, np.arange(SHAPE[1]), side="right").clip(max=len(colors) - 1)
    texture = np.random.default_rng(0).integers(-8, 9, (*SHAPE, 1))
    return np.clip(np.array(colors)[column][None] + texture, 0, 255).astype(np.uint8)


def empty(image) -> str:
    with pytest.raises(NoRetinaError) as caught:
        refuse_empty(image, signal(image))
    assert str(caught.value).endswith(f"; {EXPECTED}")
    return str(caught.value)


def implausible(image, region=WHOLE) -> str:
    with pytest.raises(NoRetinaError) as caught:
        refuse_implausible(image, region)
    assert str(caught.value).endswith(f"; {EXPECTED}")
    return str(caught.value)


@pytest.mark.parametrize("level", [0, 5, 9])
def test_black(level):
    assert empty(plain(level, level, level)).startswith(
        f"the image is black (99 % of it is at most {level} of 255)"
    )


@pytest.mark.parametrize("level", [10, 128, 255])
def test_uniform(level):
    assert empty(plain(level, 0, 0)).startswith(f"the image is uniform (grey level {level} of 255 all over)")


@pytest.mark.parametrize("shape", [(64, 64), (300, 300), (1300, 1200)])
def test_noise(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert empty(image).startswith("the image is noise (neighbouring pixels have nothing in common)")


@pytest.mark.parametrize("factor", [0.1, 0.5, 1.0])
def test_a_retina_is_not_empty_however_dark(factor):
    image = (drawn_retina(200, 240)[0] * factor).astype(np.uint8)
    assert refuse_empty(image, signal(image)) is None


def test_a_retina_with_a_cameras_noise_is_not_noise():
    image, _ = drawn_retina(400, 400)
    noisy = np.clip(image + np.random.default_rng(0).normal(0, 15, image.shape), 0, 255).astype(np.uint8)
    assert refuse_empty(noisy, signal(noisy)) is None


def test_a_small_bright_spot():
    region = np.zeros(SHAPE, np.bool_)
    region[:20, :20] = True
    assert implausible(striped([(190, 110, 60)], [1]), region).startswith(
        "the largest bright region fills 0.8% of the image"
    )


@pytest.mark.parametrize(("share", "refused"), [(0.55, False), (0.65, True)])
def test_a_page_of_one_pale_colour(share, refused):
    image = striped([(190, 110, 60)], [1])
    image[:, : int(share * SHAPE[1])] = (250, 240, 220)
    image[:, : int(share * SHAPE[1])][:, ::20] = (30, 30, 30)
    if refused:
        assert re.match(
            r"the image shows no disc and 6\d% of it is white or has one pale colour, as in a page or draw",
            implausible(image),
        )
    else:
        assert refuse_implausible(image, WHOLE) is None


def test_white():
    message = implausible(striped([(250, 250, 250), (190, 110, 60)], [0.6, 0.4]))
    assert message.startswith("the image shows no disc and ")
    assert "% of it is white" in message


@pytest.mark.parametrize("color", [(70, 120, 200), (60, 150, 60), (60, 130, 140)])
def test_sky_grass_and_water(color):
    message = implausible(striped([color, (190, 110, 60)], [0.7, 0.3]))
    assert re.match(r"the image shows no disc and [67]\d% of it is blue, green or white", message)


@pytest.mark.parametrize(
    "colors",
    [
        [(190, 110, 60)],  # a colour camera
        [(220, 160, 120), (140, 60, 30)],
        [(120, 120, 120), (60, 60, 60)],  # grey
        [(0, 140, 0), (0, 70, 0)],  # one channel
        [(60, 140, 0), (40, 90, 0)],  # a two-colour laser camera
    ],
)
def test_what_fills_the_frame_and_may_be_a_retina_passes(colors):
    image = striped(colors, [1 / len(colors)] * len(colors))
    assert refuse_implausible(image, WHOLE) is None


def test_what_lies_outside_the_bright_region_is_not_looked_at():
    image = striped([(190, 110, 60), (70, 120, 200)], [0.3, 0.7])
    region = np.zeros(SHAPE, np.bool_)
    region[:, : int(0.3 * SHAPE[1])] = True
    assert refuse_implausible(image, region) is None
