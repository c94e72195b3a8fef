import numpy as np
import pytest
from image_formats import FILES, read_image

from retinagan.runtime.errors import ImageError


@pytest.mark.parametrize("name", FILES)
def test_truncated_files_are_errors(file, name):
    data, _, _ = FILES[name]
    whole = read_image(file(data))
    missing = [1, 2, 3, 4, 5, 8, 12, 20, 40, 80, *np.linspace(100, len(data) - 1, 20).astype(int)]
    # a GIF's end mark, the bytes that fill up a BMP's last row, a text's last digit
    harmless = {"grey GIF": 2, "BMP": 1, "grey BMP": 3, "text PPM": 2}.get(name, 0)
    for count in missing:
        if count < len(data):
            path = file(data[:-count])
            if count > harmless:
                with pytest.raises(ImageError):
                    read_image(path)
            else:
                np.testing.assert_allclose(read_image(path), whole, atol=255 if "text" in name else 0)


@pytest.mark.parametrize("name", ["JPEG", "progressive JPEG", "PNG", "grey PNG", "16-bit PNG", "LZW TIFF"])
def test_downloads_padded_with_zeros_are_errors(file, name):
    data = FILES[name][0]
    for kept in np.linspace(len(data) // 3, len(data) - 2, 10).astype(int):
        with pytest.raises(ImageError):
            read_image(file(data[:kept] + bytes(len(data) - kept)))


def test_flipped_bit_in_a_png_is_an_error(file):
    data = bytearray(FILES["PNG"][0])
    data[len(data) // 2] ^= 1
    with pytest.raises(ImageError, match=r"wrong check sum of the PNG's b'IDAT' chunk.; copy it again"):
        read_image(file(data))


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_give_an_image_or_an_image_error(file, name):
    data = FILES[name][0]
    generator = np.random.default_rng(1)
    for _ in range(25):
        damaged = np.frombuffer(data, np.uint8).copy()
        places = generator.integers(0, min(len(data), 400), 4)
        damaged[places] = generator.integers(0, 256, 4)
        try:
            image = read_image(file(damaged.tobytes()), max_pixels=100_000)
        except ImageError as error:
            assert 10 < len(str(error)) < 400  # noqa: PT017 (either outcome is right)
        else:
            assert image.dtype in (np.uint8, np.uint16)
            assert image.size <= 300_000
