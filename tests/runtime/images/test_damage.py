import cv2
import numpy as np
import pytest
from canon_eye import canon_eye
from image_files import encoded, saved

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images import reading

EYE = canon_eye().image[100:400, 100:400].copy()
GRAY = EYE[..., 1].copy()
SAMPLING = {"444": 0x111111, "422": 0x211111, "420": 0x221111, "440": 0x121111, "411": 0x411111}
JPEGS = {
    "baseline": saved(EYE, "JPEG", quality=90),
    "full colour": saved(EYE, "JPEG", quality=90, subsampling=0),
    "restart markers": saved(EYE, "JPEG", quality=90, restart_marker_rows=1),
    "grey": saved(GRAY, "JPEG", quality=90),
    "progressive": saved(EYE, "JPEG", quality=90, progressive=True),
    "CMYK": saved(EYE, "JPEG", "CMYK", quality=90),
}
TIFFS = {
    "LZW": saved(EYE, "TIFF", compression="tiff_lzw"),
    "deflate": saved(EYE, "TIFF", compression="tiff_adobe_deflate"),
    "PackBits": saved(EYE, "TIFF", compression="packbits"),
    "JPEG": saved(EYE, "TIFF", compression="jpeg"),
}


def read_image(path, **options):
    return reading.read_image(path, **options).pixels


@pytest.fixture
def reads(tmp_path):
    def reads(data):
        path = tmp_path / "image"
        path.write_bytes(data)
        try:
            return read_image(path)
        except ImageError:
            return None

    return reads


def found(data, start, reads, count=12):
    places = np.random.default_rng(0).integers(start, len(data) - 520, count)
    return sum(reads(data[:place] + bytes(512) + data[place + 512 :]) is None for place in places)


@pytest.mark.parametrize("name", JPEGS)
def test_zeros_in_a_jpeg_are_found(name, reads):
    data = JPEGS[name]
    assert reads(data) is not None
    assert found(data, data.find(b"\xff\xda"), reads) >= 11


@pytest.mark.parametrize("name", JPEGS)
def test_a_scan_that_is_cut_and_closed_is_found(name, tmp_path):
    data = JPEGS[name]
    path = tmp_path / "cut.jpg"
    path.write_bytes(data[: len(data) * 2 // 5] + b"\xff\xd9")
    with pytest.raises(ImageError, match=r"damaged \(.*\); copy it again from its source"):
        read_image(path)


@pytest.mark.parametrize("quality", [5, 50, 75, 90, 100])
@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("sampling", SAMPLING)
def test_sound_jpegs_are_read(sampling, progressive, quality, reads):
    options = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLING[sampling], cv2.IMWRITE_JPEG_PROGRESSIVE)
    data = encoded(EYE, ".jpg", *options, progressive, cv2.IMWRITE_JPEG_QUALITY, quality)
    assert reads(data).shape == EYE.shape


@pytest.mark.parametrize("name", TIFFS)
def test_zeros_in_the_strips_of_a_tiff_are_found(name, reads):
    data = TIFFS[name]
    assert reads(data) is not None
    assert found(data[:-600] + data[-600:], 600, reads) >= 11


def test_an_uncompressed_strip_beyond_the_end_is_found(tmp_path):
    data = saved(EYE, "TIFF")
    path = tmp_path / "cut.tif"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError, match="truncated"):
        read_image(path)


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 90}])
def test_a_webp_that_is_shorter_than_it_says_is_found(options, tmp_path):
    path = tmp_path / "cut.webp"
    path.write_bytes(saved(EYE, "WEBP", **options)[:-100])
    with pytest.raises(ImageError, match="truncated"):
        read_image(path)


def test_a_jpeg_2000_without_its_end_is_found(tmp_path):
    path = tmp_path / "cut.jp2"
    path.write_bytes(saved(EYE, "JPEG2000")[:-100])
    with pytest.raises(ImageError, match="truncated"):
        read_image(path)
