import cv2
import numpy as np
import pytest
from PIL import Image
from retinagan.ace_ext import ace, ace_exact

LEVELS_APART = 2


def definition(image, alpha, mask):
    """ACE of one channel, straight from its definition."""
    y, x = np.nonzero(mask)
    values = image[mask] / 255
    with np.errstate(divide="ignore"):
        weight = 1 / np.hypot(y[:, None] - y, x[:, None] - x)
    np.fill_diagonal(weight, 0)
    slope = np.clip(alpha * (values[:, None] - values), -1, 1)
    response = (weight * slope).sum(1) / weight.sum(1)
    result = np.zeros(image.shape)
    result[mask] = 255 * (response - response.min()) / (response.max() - response.min())
    return result


def noise(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def apart(one, other):
    return np.abs(one.astype(float) - other)


@pytest.mark.parametrize("alpha", [1.0, 5.0, 20.0])
def test_exact_is_the_definition(alpha):
    image, mask = noise((40, 30)), noise((40, 30), 1) > 100
    assert apart(ace_exact(image, alpha=alpha, mask=mask), definition(image, alpha, mask)).max() <= 0.501


def test_exact_by_convolutions_is_the_definition():
    image, mask = noise((70, 80)), noise((70, 80), 1) > 20
    assert mask.sum() > 4096
    assert apart(ace_exact(image, mask=mask), definition(image, 5.0, mask)).max() <= 0.501


@pytest.mark.parametrize("shape", [(3, 5), (1, 300), (64, 64), (160, 200)])
def test_fast_is_near_exact_on_noise(shape):
    image = noise(shape)
    assert apart(ace(image), ace_exact(image)).max() <= LEVELS_APART


def test_channels_are_equalized_by_themselves():
    image = noise((50, 60, 3))
    together = ace(image)
    for c in range(3):
        np.testing.assert_array_equal(together[:, :, c], ace(image[:, :, c]))


def test_pixels_outside_the_mask_come_out_black_and_do_not_matter():
    image, mask = noise((60, 60, 3)), np.zeros((60, 60), bool)
    mask[5:50, 8:55] = True
    other = image.copy()
    other[~mask] = 255
    result = ace(image, mask=mask)
    assert not result[~mask].any()
    assert result[mask].min() == 0
    assert result[mask].max() == 255
    np.testing.assert_array_equal(result, ace(other, mask=mask))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_constant_image_comes_out_black(dtype):
    assert not ace(np.full((40, 40), 0.5 if dtype == np.float32 else 90, dtype)).any()


def test_a_mask_of_one_pixel_gives_a_black_image():
    mask = np.zeros((40, 40), bool)
    mask[3, 4] = True
    assert not ace(noise((40, 40)), mask=mask).any()


def test_float_and_8_bit_images_agree():
    image = noise((100, 100, 3))
    as_float = ace(image.astype(np.float32) / 255)
    assert as_float.dtype == np.float32
    assert apart(as_float * 255, ace(image)).max() <= 0.501


def test_a_view_of_an_image_gives_what_its_copy_gives():
    image = noise((80, 90, 3))
    np.testing.assert_array_equal(ace(image[::-1, ::2, ::-1]), ace(image[::-1, ::2, ::-1].copy()))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", ["21", "25"])
def test_fast_is_near_exact_on_fundus_images(drive, name, masked):
    image = read(drive / f"training/images/{name}_training.tif")[:, :, 1]
    inside = read(next(drive.glob(f"training/mask/{name}_training_mask.*"))) > 0
    image = cv2.resize(image, (256, 256), interpolation=cv2.INTER_AREA)
    inside = cv2.resize(inside.astype(np.uint8), (256, 256), interpolation=cv2.INTER_NEAREST) > 0
    mask = inside if masked else None
    assert apart(ace(image, mask=mask), ace_exact(image, mask=mask)).max() <= LEVELS_APART


@pytest.mark.parametrize(
    ("image", "options", "error", "message"),
    [
        ([[1, 2]], {}, TypeError, "image is list, expected a uint8 or float32 array"),
        (np.zeros((4, 4), np.uint16), {}, TypeError, "image is uint16, expected a uint8 or float32 array"),
        (np.zeros(4, np.uint8), {}, ValueError, r"image has shape \(4,\), expected \(H, W\) or \(H, W, C\)"),
        (np.zeros((0, 4), np.uint8), {}, ValueError, r"image has shape \(0, 4\)"),
        (np.full((4, 4), 2, np.float32), {}, ValueError, "image has values from 2 to 2, expected 0 to 1"),
        (np.full((4, 4), np.nan, np.float32), {}, ValueError, "image has values from nan to nan"),
        (np.full((4, 4), np.inf, np.float32), {}, ValueError, "image has values from inf to inf"),
        (np.zeros((4, 4), np.uint8), {"alpha": 0.5}, ValueError, "alpha is 0.5, expected 1 to 255"),
        (np.zeros((4, 4), np.uint8), {"alpha": float("nan")}, ValueError, "alpha is nan, expected 1 to 255"),
        (
            np.zeros((4, 4), np.uint8),
            {"mask": np.zeros((4, 4))},
            TypeError,
            "mask is float64, expected a bool array",
        ),
        (np.zeros((4, 4), np.uint8), {"mask": np.ones((4, 5), bool)}, ValueError, r"mask has shape \(4, 5\)"),
        (np.zeros((4, 4), np.uint8), {"mask": np.zeros((4, 4), bool)}, ValueError, "the mask is empty"),
    ],
)
def test_errors_say_what_came_and_what_was_expected(image, options, error, message):
    with pytest.raises(error, match=message):
        ace(image, **options)
