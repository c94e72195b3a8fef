import struct
import warnings
from pathlib import Path

import pytest
from image_files import png_chunk, tiff
from image_formats import FILES, HEIGHT, RGB, WIDTH, read_image
from PIL import Image

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images import decoding

HUGE = {
    "PNG": b"\x89PNG\r\n\x1a\n"
    + png_chunk(b"IHDR", struct.pack(">LLBBBBB", 60000, 50000, 8, 2, 0, 0, 0))
    + png_chunk(b"IDAT", b"")
    + png_chunk(b"IEND", b""),
    "BMP": b"BM" + struct.pack("<LLLLllHHLLllLL", 54, 0, 54, 40, 60000, 50000, 1, 24, 0, 0, 0, 0, 0, 0),
    "PPM": b"P6 60000 50000 255 ",
    "16-bit PPM": b"P6 60000 50000 65535 ",
    "GIF": b"GIF89a" + struct.pack("<HHBBB", 60000, 50000, 0, 0, 0) + b",\0\0\0\0\1\0\1\0\0\2\0;",
    "TIFF": tiff(RGB)
    .replace(struct.pack("<HHLL", 256, 4, 1, WIDTH), struct.pack("<HHLL", 256, 4, 1, 60000))
    .replace(struct.pack("<HHLL", 257, 4, 1, HEIGHT), struct.pack("<HHLL", 257, 4, 1, 50000)),
}


@pytest.mark.parametrize("name", HUGE)
def test_size_is_checked_before_decoding(file, name):
    with pytest.raises(ImageError, match="has 60000x50000 = 3000000000 pixels; expected at most 100000000:"):
        read_image(file(HUGE[name]))


@pytest.mark.parametrize("kind", [b"VP8 ", b"VP8L", b"VP8X"])
def test_size_of_a_webp_is_checked_before_the_decoder_sees_it(file, kind):
    width, height = 16000, 15000
    content = {
        b"VP8 ": b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height),
        b"VP8L": b"\x2f" + struct.pack("<L", (width - 1) | (height - 1) << 14),
        b"VP8X": bytes(4) + struct.pack("<L", width - 1)[:3] + struct.pack("<L", height - 1)[:3],
    }[kind]
    data = (
        b"RIFF"
        + struct.pack("<L", 4 + 8 + len(content))
        + b"WEBP"
        + kind
        + struct.pack("<L", len(content))
        + content
    )
    with pytest.raises(ImageError, match="has 16000x15000 = 240000000 pixels; expected at most 100000000"):
        read_image(file(data))


@pytest.mark.parametrize("name", FILES)
def test_max_pixels_is_the_largest_size_allowed(file, name):
    data = FILES[name][0]
    assert read_image(file(data), max_pixels=HEIGHT * WIDTH).shape[:2] == (HEIGHT, WIDTH)
    with pytest.raises(ImageError, match=f"has 37x23 = 851 pixels; expected at most {HEIGHT * WIDTH - 1}"):
        read_image(file(data), max_pixels=HEIGHT * WIDTH - 1)


@pytest.mark.parametrize(
    ("name", "limit"),  # above the limit Pillow warns, above twice the limit it raises; its WebP plugin must
    [*((name, 600) for name in FILES), *((name, 100) for name in FILES if "WebP" not in name)],
)
def test_pillows_own_limit_neither_warns_nor_stops(file, monkeypatch, name, limit):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(file(FILES[name][0])).shape[:2] == (HEIGHT, WIDTH)
    assert limit == Image.MAX_IMAGE_PIXELS


def test_file_larger_than_any_such_image_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "large.png"
    with path.open("wb") as stream:
        stream.truncate((64 << 20) + 8 * 1000 + 1)  # a hole, no disk space
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("the file was opened"))
    with pytest.raises(ImageError, match="larger than 64 MiB; make the image smaller"):
        read_image(path, max_pixels=1000)


def test_no_memory_is_an_image_error(file, monkeypatch):
    def refuse(*_):
        raise MemoryError

    monkeypatch.setattr(decoding, "_load", refuse)
    with pytest.raises(ImageError, match=r"^not enough memory to decode the image; make it smaller"):
        read_image(file(FILES["PNG"][0]))
