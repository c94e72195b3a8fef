import os
import struct
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from image_files import encoded, exif, png_chunk, saved, tiff, turned, with_png_exif
from PIL import Image

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images import decoding, reading

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
    return reading.read_image(path, **options).pixels


@pytest.fixture
def file(tmp_path):
    def write(data):
        path = tmp_path / "image"
        path.write_bytes(data)
        return path

    return write


def as_shape_of(image, expected):
    """Return the image without the channels that its format made of grey."""
    return image[:, :, 0] if image.ndim == 3 and expected.ndim == 2 else image


@pytest.mark.parametrize("name", FILES)
def test_reads_values_as_they_are_in_the_file(file, name):
    data, expected, tolerance = FILES[name]
    image = read_image(file(data))
    assert image.dtype == expected.dtype
    assert image.flags.c_contiguous
    assert image.flags.writeable
    image = as_shape_of(image, expected)
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).max() <= tolerance


def test_path_may_be_a_string(file):
    np.testing.assert_array_equal(read_image(str(file(FILES["PNG"][0]))), RGB)


def test_content_in_memory_is_read_as_a_file_is():
    photograph = reading.decode_image(FILES["PNG"][0])
    np.testing.assert_array_equal(photograph.pixels, RGB)
    with pytest.raises(ImageError, match="pixels; expected at most 10"):
        reading.decode_image(FILES["PNG"][0], max_pixels=10)
    with pytest.raises(ImageError, match="no image 2: the file holds 1"):
        reading.decode_image(FILES["PNG"][0], frame=2)


def test_palettes_are_expanded(file):
    colors = np.array([[200, 30, 10], [5, 90, 250], [0, 0, 0]], np.uint8)
    image = Image.fromarray((SHADE % 3).astype(np.uint8), "L")
    image.putpalette(colors.ravel().tolist())
    for name in ("PNG", "TIFF", "BMP", "GIF"):
        path = file(b"")
        image.save(path, name)
        np.testing.assert_array_equal(read_image(path), colors[SHADE % 3])


@pytest.mark.parametrize("transparency", [0, b"\0\x80\xff"])
def test_transparent_palette_entries_keep_their_colour(file, transparency):
    colors = np.array([[200, 30, 10], [5, 90, 250], [0, 0, 0]], np.uint8)
    image = Image.fromarray((SHADE % 3).astype(np.uint8), "L")
    image.putpalette(colors.ravel().tolist())
    path = file(b"")
    image.save(path, "PNG", transparency=transparency)
    np.testing.assert_array_equal(read_image(path), colors[SHADE % 3])


@pytest.mark.parametrize(
    ("name", "options"), [("PNG", {}), ("TIFF", {"compression": "group4"}), ("PPM", {}), ("BMP", {})]
)
def test_one_bit_becomes_0_and_255(file, name, options):
    black_and_white = np.where(GRAY > 100, 255, 0).astype(np.uint8)
    image = read_image(file(saved(black_and_white, name, "1", **options)))
    np.testing.assert_array_equal(image, black_and_white)


@pytest.mark.parametrize("name", ["TIFF", "GIF", "WEBP", "PNG"])
def test_first_of_several_frames(file, name):
    lossless = {"lossless": True} if name == "WEBP" else {}
    later = [Image.fromarray(np.full_like(GRAY, level)) for level in (10, 250)]
    image = read_image(file(saved(GRAY, name, save_all=True, append_images=later, **lossless)))
    np.testing.assert_array_equal(as_shape_of(image, GRAY), GRAY)


def test_colour_profile_is_ignored(file):
    np.testing.assert_array_equal(read_image(file(saved(RGB, "PNG", icc_profile=b"no profile at all"))), RGB)


BLOCKS = np.kron(random.integers(0, 256, (3, 4, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
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


MESSAGES = {
    "truncated JPEG": (FILES["JPEG"][0][:-40], r"^truncated .no end-of-image marker.; copy it again"),
    "truncated PNG": (FILES["PNG"][0][:-40], r"^truncated .the PNG ends within a chunk.; copy it again"),
    "truncated TIFF": (FILES["TIFF"][0][:60], r"^truncated .the TIFF's directory lies beyond the end.; copy"),
    "truncated BMP": (
        FILES["BMP"][0][:-40],
        r"^truncated, damaged or of a kind .*; copy it again",
    ),
    "empty": (b"", r"^the file is empty .0 bytes.; copy it again"),
    "text": (
        b"Hello, world",
        r"^not an image .* begins with b'Hello, w'.; expected PNG, JPEG",
    ),
    "PDF": (b"%PDF-1.7", "^not an image"),
    "float TIFF": (
        tiff(GRAY.astype(np.float32)),
        "^32-bit floating point .*; save it as 8-bit",
    ),
    "32-bit TIFF": (
        tiff(GRAY.astype(np.uint32) << 20),
        r"^values from \d+ to \d+ do not fit in 16 bits; save",
    ),
    "16-bit CMYK TIFF": (tiff(RGBA16, photometric=5), "^16-bit CMYK is not supported; save it as 8-bit"),
    "text PPM of 16 bits": (
        b"P3 1 1 65535\n1 2 3\n",
        "^text PPM of more than 8 bits .*; save it as binary",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages(file, name):
    data, text = MESSAGES[name]
    with pytest.raises(ImageError, match=text):
        read_image(file(data))


def test_missing_file(tmp_path):
    with pytest.raises(ImageError, match=r"^no such file; check the path$"):
        read_image(tmp_path / "nothing.png")


def test_folder(tmp_path):
    with pytest.raises(ImageError, match=r"^this is a folder; expected an image file$"):
        read_image(tmp_path)


def test_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageError, match=r"^not a regular file"):
        read_image(tmp_path / "pipe.png")


def test_name_that_no_file_can_have():
    with pytest.raises(ImageError, match=r"^the file cannot be read: "):
        read_image("image\0.png")
    with pytest.raises(ImageError, match=r"^the file cannot be read: File name too long"):
        read_image("a" * 5000)


def test_permission_denied(file, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    path = file(FILES["PNG"][0])
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ImageError, match=r"^no permission to read the file; change its permissions"):
        read_image(path)


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


def test_decoders_that_disagree_are_not_believed(file, monkeypatch):
    monkeypatch.setattr(decoding.cv2, "imdecode", lambda *_: RGB16[:, :, ::-1] ^ 0x8000)
    with pytest.raises(ImageError, match=r"^this kind of 16-bit colour is not supported; save it as"):
        read_image(file(FILES["16-bit PNG"][0]))


def test_threads_read_at_the_same_time(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    jobs = []
    for number, (data, expected, tolerance) in enumerate(FILES.values()):
        path = tmp_path / str(number)
        path.write_bytes(data)
        if b"WEBP" not in data[:16]:
            jobs.append((path, expected, tolerance))
    barrier = threading.Barrier(4)

    def read(jobs):
        barrier.wait()
        return [np.abs(as_shape_of(read_image(p), e).astype(int) - e).max() <= t for p, e, t in jobs]

    with ThreadPoolExecutor(4) as pool:
        assert all(all(results) for results in pool.map(read, [jobs] * 4))
    assert Image.MAX_IMAGE_PIXELS == 100
