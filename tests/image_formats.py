"""One small picture as a file of every format that is read."""

import cv2
import numpy as np
from image_files import encoded, saved, tiff

from retinagan.runtime.images import reading

random = np.random.default_rng(0)
HEIGHT, WIDTH = 23, 37
SHADE = np.add.outer(4 * np.arange(HEIGHT), 3 * np.arange(WIDTH))
RGB = (SHADE[:, :, None] * [1, 0.7, 0.4] + random.integers(0, 20, (HEIGHT, WIDTH, 3))).astype(np.uint8)
GRAY = RGB[:, :, 0].copy()
RGB16 = RGB * np.uint16(256) + random.integers(0, 256, RGB.shape, dtype=np.uint16)
GRAY16 = RGB16[:, :, 0].copy()
RGBA16 = np.dstack([RGB16, np.full((HEIGHT, WIDTH), 40000, np.uint16)])
RAW, LZW = (cv2.IMWRITE_TIFF_COMPRESSION, 1), (cv2.IMWRITE_TIFF_COMPRESSION, 5)

# name: (file, its values, the largest deviation that its compression may make)
FILES = {
    "PNG": (saved(RGB, "PNG"), RGB, 0),
    "grey PNG": (saved(GRAY, "PNG"), GRAY, 0),
    "PNG with alpha": (saved(np.dstack([RGB, GRAY]), "PNG"), RGB, 0),
    "grey PNG with alpha": (saved(GRAY, "PNG", "LA"), GRAY, 0),
    "16-bit grey PNG": (encoded(GRAY16, ".png"), GRAY16, 0),
    "16-bit PNG": (encoded(RGB16, ".png"), RGB16, 0),
    "16-bit PNG with alpha": (cv2.imencode(".png", RGBA16[:, :, [2, 1, 0, 3]])[1].tobytes(), RGB16, 0),
    "JPEG": (saved(RGB, "JPEG", quality=98, subsampling=0), RGB, 12),
    "progressive JPEG": (saved(RGB, "JPEG", quality=98, subsampling=0, progressive=True), RGB, 12),
    "grey JPEG": (saved(GRAY, "JPEG", quality=98), GRAY, 8),
    "CMYK JPEG": (saved(RGB, "JPEG", "CMYK", quality=98), RGB, 12),
    "TIFF": (saved(RGB, "TIFF"), RGB, 0),
    "LZW TIFF": (saved(RGB, "TIFF", compression="tiff_lzw"), RGB, 0),
    "deflated TIFF": (saved(RGB, "TIFF", compression="tiff_adobe_deflate"), RGB, 0),
    "packed TIFF": (saved(RGB, "TIFF", compression="packbits"), RGB, 0),
    "JPEG in TIFF": (saved(RGB, "TIFF", compression="jpeg", quality=98), RGB, 24),
    "big-endian TIFF": (tiff(RGB, ">"), RGB, 0),
    "BigTIFF": (saved(RGB, "TIFF", big_tiff=True), RGB, 0),
    "grey TIFF, white is 0": (tiff(~GRAY, photometric=0), GRAY, 0),
    "16-bit TIFF": (encoded(RGB16, ".tif", *RAW), RGB16, 0),
    "16-bit LZW TIFF": (encoded(RGB16, ".tif", *LZW), RGB16, 0),
    "16-bit big-endian TIFF": (tiff(RGB16, ">"), RGB16, 0),
    "16-bit grey TIFF": (tiff(GRAY16), GRAY16, 0),
    "16-bit grey big-endian TIFF": (tiff(GRAY16, ">"), GRAY16, 0),
    "16-bit grey TIFF, white is 0": (tiff(~GRAY16, photometric=0), GRAY16, 0),
    "12-bit data in a TIFF": (tiff(GRAY16 >> 4), GRAY16 >> 4, 0),
    "12-bit data in a PNG": (encoded(RGB16 >> 4, ".png"), RGB16 >> 4, 0),
    "BMP": (saved(RGB, "BMP"), RGB, 0),
    "grey BMP": (saved(GRAY, "BMP"), GRAY, 0),
    "PPM": (saved(RGB, "PPM"), RGB, 0),
    "PGM": (saved(GRAY, "PPM"), GRAY, 0),
    "text PPM": (b"P3 37 23 255\n" + " ".join(map(str, RGB.ravel())).encode() + b"\n", RGB, 0),
    "16-bit PPM": (encoded(RGB16, ".ppm"), RGB16, 0),
    "16-bit PGM": (b"P5 # grey\n37 23\n65535\n" + GRAY16.astype(">u2").tobytes(), GRAY16, 0),
    "12-bit PPM": (b"P6 37 23 4095 " + (RGB16 >> 4).astype(">u2").tobytes(), RGB16 >> 4, 0),
    "WebP": (saved(RGB, "WEBP", quality=100), RGB, 24),
    "lossless WebP": (saved(RGB, "WEBP", lossless=True), RGB, 0),
    "WebP with alpha": (saved(np.dstack([RGB, GRAY]), "WEBP", lossless=True, exact=True), RGB, 0),
    "grey GIF": (saved(GRAY, "GIF"), GRAY, 0),
}


def read_image(path, **options):
    """Return the pixels of an image file alone."""
    return reading.read_image(path, **options).pixels


def as_shape_of(image, expected):
    """Return the image without the channels that its format made of grey."""
    return image[:, :, 0] if image.ndim == 3 and expected.ndim == 2 else image
