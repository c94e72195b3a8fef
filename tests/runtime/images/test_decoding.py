import io

import numpy as np
import pytest
from image_files import saved
from PIL import Image

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.decoding import decode, frames_of
from retinagan.runtime.images.formats import plugin_for

LEVELS = (10, 90, 250)
FRAMES = [np.full((24, 40), level, np.uint8) for level in LEVELS]


def several(name, **options) -> bytes:
    images = [Image.fromarray(frame) for frame in FRAMES]
    buffer = io.BytesIO()
    images[0].save(buffer, name, save_all=True, append_images=images[1:], **options)
    return buffer.getvalue()


SEVERAL = {
    "TIFF": several("TIFF"),
    "GIF": several("GIF"),
    "WEBP": several("WEBP", lossless=True),
    "PNG": several("PNG"),
}


def decoded(data, frame=None, max_pixels=10_000):
    return decode(data, plugin_for(data), max_pixels, frame)


@pytest.mark.parametrize("name", SEVERAL)
def test_frames_are_counted_and_found_by_number(name):
    data = SEVERAL[name]
    assert frames_of(data, plugin_for(data)) == 3
    for number, level in enumerate(LEVELS, 1):
        photograph = decoded(data, number)
        assert (photograph.frame, photograph.frames) == (number, 3)
        assert np.abs(photograph.pixels.astype(int) - level).max() <= 1
        assert photograph.warnings == ()


@pytest.mark.parametrize("name", SEVERAL)
def test_the_first_of_several_is_taken_with_a_warning(name):
    photograph = decoded(SEVERAL[name])
    assert photograph.frame == 1
    assert [warning.code for warning in photograph.warnings] == ["first-of-several-frames"]


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize("number", [0, 4])
def test_a_frame_that_the_file_does_not_hold(name, number):
    with pytest.raises(ImageError, match=rf"no (image|frame) {number}: the file holds 3"):
        decoded(SEVERAL[name], number)


def test_one_image_is_the_first_of_one():
    photograph = decoded(saved(FRAMES[1], "PNG"))
    assert (photograph.frame, photograph.frames, photograph.bits) == (1, 1, 8)
    assert photograph.warnings == ()


def test_a_size_over_the_limit_is_named_with_what_to_do():
    with pytest.raises(ImageError) as caught:
        decoded(saved(FRAMES[0], "PNG"), max_pixels=959)
    assert "40x24 = 960 pixels" in str(caught.value)
    assert "959" in str(caught.value)
    assert "make it smaller or crop it" in str(caught.value)
