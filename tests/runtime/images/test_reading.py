import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from image_files import saved, tiff
from image_formats import FILES, GRAY, RGB, RGB16, RGBA16, SHADE, as_shape_of, read_image
from PIL import Image

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images import decoding, reading


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
