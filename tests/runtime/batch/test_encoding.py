import io

import cv2
import numpy as np
import pytest
from PIL import Image

from retinagan.runtime.batch.encoding import ENCODERS, PictureError, encode_jpeg, encode_png, encode_webp


def gradient(height: int = 60, width: int = 81) -> np.ndarray:
    """A colour picture without sharp edges, which every format keeps well."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.stack([rows * 3, columns * 2, rows + columns], axis=-1).astype(np.uint8)


def opened(encoded: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(encoded))
    image.load()
    return image


def test_a_png_says_who_wrote_it_in_a_text_that_any_reader_shows():
    image = opened(encode_png(gradient()))
    assert image.text == {"Software": "retina-run"}
    np.testing.assert_array_equal(image, gradient())


def test_a_jpeg_says_so_in_its_comment():
    image = opened(encode_jpeg(gradient()))
    assert image.info["comment"] == b"Software\0retina-run"
    assert image.format == "JPEG"


def test_a_webp_says_so_in_its_metadata():
    encoded = encode_webp(gradient())
    image = opened(encoded)
    assert b'CreatorTool="retina-run"' in image.info["xmp"]
    assert len(encoded) == 8 + int.from_bytes(encoded[4:8], "little"), "the length in the head is the file's"


@pytest.mark.parametrize("suffix", ENCODERS)
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (60, 81), (33, 64)])
def test_readers_agree_on_the_picture(suffix, size):
    picture = gradient(*size)
    encoded = ENCODERS[suffix](picture)
    by_opencv = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    for read in (np.asarray(opened(encoded).convert("RGB")), by_opencv):
        assert read.shape == picture.shape
        assert np.abs(read.astype(int) - picture).max() <= (0 if suffix == ".png" else 12)


def test_a_line_of_one_pixel_keeps_its_colour_in_jpeg():
    picture = np.full((64, 64, 3), 120, np.uint8)
    picture[:, 31] = (40, 255, 190)
    line = np.asarray(opened(encode_jpeg(picture)))[:, 31].mean(axis=0)
    assert np.abs(line - (40, 255, 190)).max() < 30


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_maps_are_read_by_others_with_their_values(dtype):
    values = np.random.default_rng(0).choice(np.array([0, np.iinfo(dtype).max], dtype), (40, 50))
    encoded = encode_png(values)
    np.testing.assert_array_equal(opened(encoded), values)
    by_opencv = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(by_opencv, values)
    assert by_opencv.dtype == dtype


def test_what_does_not_fit_into_webp():
    message = (
        "an overlay of 16384x1 pixels does not fit into WebP, whose limit is 16383 a side; use --overlay"
    )
    with pytest.raises(PictureError, match=message):
        encode_webp(np.zeros((1, 16384, 3), np.uint8))
