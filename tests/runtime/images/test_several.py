import io

import numpy as np
import pytest
from image_files import png_chunk, saved
from PIL import Image, TiffImagePlugin

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.formats import looks_like_an_image
from retinagan.runtime.images.reading import count_frames, read_image

random = np.random.default_rng(1)
FIRST, SECOND = random.integers(0, 256, (2, 60, 80, 3), dtype=np.uint8)
SMALL = FIRST[::8, ::8].copy()


def several(name, pictures, **options):
    buffer = io.BytesIO()
    images = [Image.fromarray(picture) for picture in pictures]
    images[0].save(buffer, name, save_all=True, append_images=images[1:], **options)
    return buffer.getvalue()


@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_the_full_size_page_is_read_and_not_its_thumbnail(file, marked, compression):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    if marked:
        tags[254] = 1
    path = file(several("TIFF", [SMALL, FIRST], tiffinfo=tags, compression=compression))
    photograph = read_image(path)
    np.testing.assert_array_equal(photograph.pixels, FIRST)
    assert (photograph.frames, photograph.warnings) == (1, ())


@pytest.mark.parametrize("name", ["TIFF", "MPO", "WEBP", "PNG", "GIF"])
def test_the_first_of_several_is_read_with_a_warning(file, name):
    options = {"lossless": True} if name == "WEBP" else {}
    path = file(several(name, [FIRST, SECOND], **options))
    photograph = read_image(path)
    assert photograph.pixels.shape == FIRST.shape
    assert (photograph.frame, photograph.frames, count_frames(path)) == (1, 2, 2)
    (warning,) = photograph.warnings
    assert str(warning) == (
        "first-of-several-frames: the file holds 2 images of full size; this is the first"
    )


@pytest.mark.parametrize("name", ["TIFF", "WEBP", "PNG"])
def test_a_frame_is_read_by_its_number_without_a_warning(file, name):
    options = {"lossless": True} if name == "WEBP" else {}
    photograph = read_image(file(several(name, [FIRST, SECOND], **options)), frame=2)
    np.testing.assert_array_equal(photograph.pixels, SECOND)
    assert photograph.warnings == ()


def test_the_second_view_of_a_stereo_photograph(file):
    path = file(several("MPO", [FIRST, SECOND], quality=98))
    pixels = read_image(path, frame=2).pixels.astype(int)
    assert np.abs(pixels - SECOND).mean() < np.abs(pixels - FIRST).mean()


def test_a_frame_that_is_not_there(file):
    with pytest.raises(ImageError, match=r"^no image 3: the file holds 2 of full size$"):
        read_image(file(several("TIFF", [FIRST, SECOND])), frame=3)


def test_a_png_declares_its_significant_bits(file):
    data = saved((FIRST[..., 0].astype(np.uint16) << 2), "PNG")
    path = file(data[:33] + png_chunk(b"sBIT", b"\x0c") + data[33:])
    photograph = read_image(path)
    assert (photograph.bits, photograph.warnings) == (12, ())
    np.testing.assert_array_equal(photograph.as_rgb8()[..., 0], FIRST[..., 0] >> 2)


@pytest.mark.parametrize("name", ["IM0001", "1.2.840.1", "a.jfif", "b.JPE", "c.mpo"])
def test_names_without_an_extension_are_known_by_content(file, name):
    assert looks_like_an_image(str(file(saved(FIRST, "PNG"), name)))


@pytest.mark.parametrize("name", ["notes.txt", "README", "empty"])
def test_other_files_are_not_images(file, name):
    assert not looks_like_an_image(str(file(b"" if name == "empty" else b"words, words, words", name)))


def test_heic_says_what_it_needs(file, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    with pytest.raises(ImageError, match=r'^HEIC needs pillow-heif: pip install "retinagan\[heic\]"'):
        read_image(file(b"\0\0\0\x18ftypheic\0\0\0\0" + bytes(40)))
