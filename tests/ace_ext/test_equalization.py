from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image

from retinagan.ace_ext import Workspace, _ace, ace, ace_exact

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


def hard_case(name, shape):
    y, x = np.mgrid[: shape[0], : shape[1]]
    spot = (y == shape[0] // 3) & (x == shape[1] // 3)
    image = {
        "noise": lambda: noise(shape),
        "step edge": lambda: np.where(x < shape[1] // 2, 50, 200),
        "checkerboard": lambda: (x + y) % 2 * 255,
        "coarse checkerboard": lambda: (x // 4 + y // 4) % 2 * 200 + 20,
        "one bright pixel": lambda: np.where(spot, 255, 40),
        "one dark pixel": lambda: np.where(spot, 0, 180),
        "two grey levels": lambda: np.where(noise(shape) < 80, 100, 101),
        "ramp": lambda: x * 255 // (shape[1] - 1),
        "few bright pixels": lambda: np.where(noise(shape) == 7, 255, 30),
    }[name]()
    return image.astype(np.uint8)


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def fundus(drive, name, side):
    """A DRIVE image and its field of view, side x side pixels."""
    image = read(drive / f"training/images/{name}_training.tif")
    inside = read(next(drive.glob(f"training/mask/{name}_training_mask.*"))) > 0
    image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return image, cv2.resize(inside.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST) > 0


def apart(one, other):
    return np.abs(one.astype(float) - other)


def response_of(image, mask=None):
    """R before the stretch, by the fast method, of an 8-bit image of one channel."""
    intensity = (image / np.float32(255)).astype(np.float32)[:, :, None]
    result, ranges = np.empty_like(intensity), np.empty((1, 2))
    inside = None if mask is None else mask.view(np.uint8)
    _ace.equalize(intensity, inside, 5.0, 1, Workspace(), result, ranges)
    return ranges[0, 0] + (ranges[0, 1] - ranges[0, 0]) * result[:, :, 0]


@pytest.mark.parametrize("alpha", [1.0, 5.0, 20.0])
def test_exact_is_the_definition(alpha):
    image, mask = noise((40, 30)), noise((40, 30), 1) > 100
    assert apart(ace_exact(image, alpha=alpha, mask=mask), definition(image, alpha, mask)).max() <= 0.501


def test_exact_by_convolutions_is_the_definition():
    image, mask = noise((70, 80)), noise((70, 80), 1) > 20
    assert np.count_nonzero(mask) > 4096
    assert apart(ace_exact(image, mask=mask), definition(image, 5.0, mask)).max() <= 0.501


@pytest.mark.parametrize("shape", [(3, 5), (1, 300), (24, 70), (110, 130)])
@pytest.mark.parametrize(
    "name",
    [
        "noise",
        "step edge",
        "checkerboard",
        "coarse checkerboard",
        "one bright pixel",
        "one dark pixel",
        "two grey levels",
        "ramp",
        "few bright pixels",
    ],
)
def test_fast_is_near_exact_on_hard_cases(name, shape):
    image = hard_case(name, shape)
    for alpha in (1.0, 5.0, 20.0):
        assert apart(ace(image, alpha=alpha), ace_exact(image, alpha=alpha)).max() <= LEVELS_APART


def test_fast_is_near_exact_on_a_larger_image():
    image = hard_case("ramp", (400, 390))
    image[100:300, 50:200] = hard_case("checkerboard", (200, 150)) // 2
    assert apart(ace(image), ace_exact(image)).max() <= LEVELS_APART


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", ["21", "25"])
def test_fast_is_near_exact_on_fundus_images(drive, name, masked):
    image, inside = fundus(drive, name, 256)
    mask = inside if masked else None
    difference = apart(ace(image, mask=mask), ace_exact(image, mask=mask))
    assert difference.max() <= LEVELS_APART
    assert difference[inside].mean(0).max() <= 0.3


def test_response_of_a_large_image_is_near_direct_sums():
    image = np.add.outer(np.arange(900) % 251, np.arange(1000) * 180 // 999).clip(0, 255).astype(np.uint8)
    image ^= noise(image.shape) & 15
    row, column = (axis.ravel().astype(np.float32) for axis in np.indices(image.shape))
    chosen = np.linspace(0, image.size - 1, 40).astype(np.uintp)
    exact = np.empty(chosen.size)
    _ace.direct(row, column, image.ravel() / np.float32(255), 5.0, chosen, exact)
    assert np.abs(response_of(image).ravel()[chosen] - exact).max() <= 0.005


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


@pytest.mark.parametrize("side", [20, 40, 400])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_constant_image_comes_out_black(dtype, side):
    assert not ace(np.full((side, side), 0.5 if dtype == np.float32 else 90, dtype)).any()


def test_a_mask_of_one_pixel_gives_a_black_image():
    mask = np.zeros((40, 40), bool)
    mask[3, 4] = True
    assert not ace(noise((40, 40)), mask=mask).any()


@pytest.mark.parametrize("side", [20, 100, 400])
def test_float_and_8_bit_images_agree(side):
    image = noise((side, side, 3))
    as_float = ace(image.astype(np.float32) / 255)
    assert as_float.dtype == np.float32
    assert apart(as_float * 255, ace(image)).max() <= 0.6  # half a level is rounding


def test_a_view_of_an_image_gives_what_its_copy_gives():
    image = noise((80, 90, 3))
    np.testing.assert_array_equal(ace(image[::-1, ::2, ::-1]), ace(image[::-1, ::2, ::-1].copy()))


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_do_not_change_the_result(threads):
    image, mask = noise((150, 170, 3)), noise((150, 170), 1) > 60
    np.testing.assert_array_equal(ace(image, mask=mask, threads=threads), ace(image, mask=mask))


def test_calls_from_eight_threads_give_what_one_gives():
    images = [noise((90 + 7 * i, 120, 3), i) for i in range(16)]
    shared = Workspace()
    with ThreadPoolExecutor(8) as pool:
        at_once = list(pool.map(ace, images))
        by_turns = list(pool.map(lambda image: ace(image, workspace=shared), images))
    for image, one, other in zip(images, at_once, by_turns, strict=True):
        alone = ace(image)
        np.testing.assert_array_equal(one, alone)
        np.testing.assert_array_equal(other, alone)


@pytest.mark.skipif(not _ace.supports("avx2"), reason="this machine has no AVX2")
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_variants_of_the_kernel_give_the_same(dtype):
    image = noise((455, 460, 3))
    image = image if dtype == np.uint8 else image / np.float32(255)
    results = []
    for variant in ("portable", "avx2"):
        results.append(np.empty_like(image))
        _ace.equalize(image, None, 5.0, 1, Workspace(), results[-1], np.empty((3, 2)), variant)
    np.testing.assert_array_equal(*results)


def test_a_workspace_and_an_output_are_used_again():
    workspace, out = Workspace(), np.empty((512, 512, 3), np.uint8)
    for seed in range(2):
        image = noise(out.shape, seed)
        assert ace(image, workspace=workspace, out=out) is out
        np.testing.assert_array_equal(out, ace(image))
        held = workspace.nbytes
        assert 0 < held <= 2 * 4 * image.size
    ace(noise((100, 100)), workspace=workspace)
    assert workspace.nbytes == held


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
            "mask is float64, expected",
        ),
        (np.zeros((4, 4), np.uint8), {"mask": np.ones((4, 5), bool)}, ValueError, r"mask has shape \(4, 5\)"),
        (np.zeros((4, 4), np.uint8), {"mask": np.zeros((4, 4), bool)}, ValueError, "mask has no True pixel"),
    ],
)
def test_errors_say_what_came_and_what_was_expected(image, options, error, message):
    for method in (ace, ace_exact):
        with pytest.raises(error, match=message):
            method(image, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": 0}, "threads is 0, expected an integer of at least 1"),
        ({"threads": 1.5}, "threads is 1.5, expected an integer of at least 1"),
        ({"out": [0]}, r"out is list, expected the image's uint8 \(4, 4\)"),
        (
            {"out": np.empty((4, 4), np.float32)},
            r"out is float32 \(4, 4\), expected the image's",
        ),
        ({"out": np.empty((4, 4), np.uint8, order="F")}, "out must be C-contiguous"),
    ],
)
def test_errors_of_the_options_of_the_fast_method(options, message):
    with pytest.raises(ValueError, match=message):
        ace(np.zeros((4, 4), np.uint8), **options)


def test_an_output_may_not_overlap_the_image():
    image = noise((8, 8))
    with pytest.raises(ValueError, match="not overlap the image"):
        ace(image, out=image)
