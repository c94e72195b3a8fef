import numpy as np
import pytest
from image_files import encoded, exif, saved, tiff, turned, with_png_exif
from image_formats import RGB, read_image

COLOURS = np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)
BLOCKS = np.kron(COLOURS, np.ones((8, 8, 1), np.uint8))
BLOCKS16 = BLOCKS * np.uint16(257)
ORIENTED = {
    "JPEG": lambda turn, tag: saved(turn(BLOCKS), "JPEG", quality=100, subsampling=0, exif=exif(tag)),
    "PNG": lambda turn, tag: saved(turn(BLOCKS), "PNG", exif=exif(tag)),
    "WebP": lambda turn, tag: saved(turn(BLOCKS), "WEBP", lossless=True, exif=exif(tag)),
    "TIFF": lambda turn, tag: tiff(turn(BLOCKS), orientation=tag),
    "LZW TIFF": lambda turn, tag: saved(turn(BLOCKS), "TIFF", compression="tiff_lzw", tiffinfo={274: tag}),
    "16-bit PNG": lambda turn, tag: with_png_exif(encoded(turn(BLOCKS16), ".png"), tag),
    "16-bit TIFF": lambda turn, tag: tiff(turn(BLOCKS16), orientation=tag),
    "16-bit big-endian TIFF": lambda turn, tag: tiff(turn(BLOCKS16), ">", orientation=tag),
    "16-bit grey PNG": lambda turn, tag: with_png_exif(encoded(turn(BLOCKS16[:, :, 0]), ".png"), tag),
    "16-bit grey TIFF": lambda turn, tag: tiff(turn(BLOCKS16[:, :, 0]), orientation=tag),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ORIENTED)
def test_orientation_is_applied(file, name, orientation):
    data = ORIENTED[name](lambda array: turned(array, orientation), orientation)
    image = read_image(file(data))
    expected = BLOCKS16 if "16-bit" in name else BLOCKS
    expected = expected[:, :, 0] if "grey" in name else expected
    assert image.dtype == expected.dtype
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).max() <= 4


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_unknown_orientation_means_nothing(file, orientation):
    np.testing.assert_array_equal(read_image(file(tiff(RGB, orientation=orientation))), RGB)
