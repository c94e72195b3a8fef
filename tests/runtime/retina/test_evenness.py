import cv2
import numpy as np
import pytest
from retina_squares import square_of
from synthetic_fundus import FundusOptions, render

from retinagan.runtime.images.reading import read_image
from retinagan.runtime.retina.evenness import is_filtered
from retinagan.runtime.retina.find import find_retina
from retinagan.runtime.retina.green import small_green


@pytest.fixture(scope="module", params=["canon", "topcon"])
def eye(request):
    return render(FundusOptions(seed=5, camera=request.param)).image


def without_local_mean(image, share, gain=4.0):
    """Return Ben Graham's preprocessing: a multiple of the difference from the local mean, on grey."""
    values = image.astype(np.float32)
    sigma = share * image.shape[0] / 2
    return np.clip(gain * (values - cv2.GaussianBlur(values, (0, 0), sigma)) + 128, 0, 255).astype(np.uint8)


def contrast_limited(image, limit, tiles):
    green = cv2.createCLAHE(limit, (tiles, tiles)).apply(image[..., 1])
    return np.repeat(green[..., None], 3, axis=2)


def filtered(image, like):
    """Judge an image in the place where another has its retina."""
    return is_filtered(small_green(*square_of(image, find_retina(like))))


def test_a_photograph_is_not_filtered(eye):
    assert not filtered(eye, eye)
    assert not filtered(np.repeat(eye[..., 1:2], 3, axis=2), eye)  # red-free, as grey


@pytest.mark.parametrize("share", [1 / 60, 1 / 30, 1 / 15, 1 / 10])
@pytest.mark.parametrize("gain", [2.0, 4.0])
def test_a_picture_without_its_local_mean_is(eye, share, gain):
    assert filtered(without_local_mean(eye, share, gain), eye)


@pytest.mark.parametrize(("limit", "tiles"), [(2, 8), (4, 8), (40, 16)])
def test_a_picture_of_enhanced_local_contrast_is(eye, limit, tiles):
    assert filtered(contrast_limited(eye, limit, tiles), eye)


def test_nothing_is_said_without_a_retina():
    assert not is_filtered(small_green(np.full((64, 64, 3), 90, np.uint8), np.zeros((64, 64), np.bool_)))


def test_no_real_photograph_is_filtered(drive):
    paths = sorted(drive.glob("*/images/*.tif"))
    assert len(paths) == 40
    images = (read_image(path).pixels for path in paths)
    assert not [path.name for path, image in zip(paths, images, strict=True) if filtered(image, image)]
