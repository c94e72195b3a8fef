import numpy as np
import pytest
from drawn_retina import drawn_retina
from pydicom.pixels import convert_color_space

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.dicom.colours import in_rgb

EYE = drawn_retina(60, 64)[0]
EYE_YBR = convert_color_space(EYE, "RGB", "YBR_FULL")
BRIGHT = EYE[20:40, 22:42].copy()
BRIGHT_YBR = convert_color_space(BRIGHT, "RGB", "YBR_FULL")


@pytest.mark.parametrize("tag", ["RGB", "YBR_ICT", "YBR_RCT"])
def test_rgb_stays_as_it_is(tag):
    array, warnings = in_rgb(EYE, tag)
    assert array is EYE
    assert warnings == ()


@pytest.mark.parametrize("tag", ["YBR_FULL", "YBR_FULL_422"])
@pytest.mark.parametrize(("stored", "expected"), [(EYE_YBR, EYE), (BRIGHT_YBR, BRIGHT)])
def test_luminance_and_chrominance_become_rgb(tag, stored, expected):
    array, warnings = in_rgb(stored, tag)
    np.testing.assert_allclose(array.astype(int), expected, atol=2)
    assert warnings == ()


@pytest.mark.parametrize(
    ("stored", "tag", "read_as"),
    [(EYE_YBR, "RGB", "YBR_FULL"), (EYE, "YBR_FULL", "RGB"), (EYE, "", "RGB"), (EYE_YBR, "", "YBR_FULL")],
)
def test_black_counts_more_than_a_wrong_tag(stored, tag, read_as):
    array, warnings = in_rgb(stored, tag)
    np.testing.assert_allclose(array.astype(int), EYE, atol=2)
    (warning,) = warnings
    assert warning.code == "colours-guessed"
    assert (
        warning.message
        == f"the file's Photometric Interpretation is wrong; its colours were read as {read_as}"
    )


def test_without_black_the_tag_counts():
    np.testing.assert_array_equal(in_rgb(BRIGHT_YBR, "RGB")[0], BRIGHT_YBR)
    with pytest.raises(ImageError) as caught:
        in_rgb(BRIGHT, "")
    assert str(caught.value) == (
        "the DICOM image's Photometric Interpretation cannot be true (YBR_FULL_422, but no colours are left "
        "out); export the image in RGB"
    )


def test_dark_pixels_of_a_colour_tell_nothing():
    blue = EYE.copy()
    blue[EYE.max(axis=2) == 0] = (0, 60, 200)
    assert in_rgb(blue, "RGB") == (blue, ())


def test_more_than_eight_bits_must_be_rgb():
    deep = EYE * np.uint16(200)
    assert in_rgb(deep, "RGB")[0] is deep
    with pytest.raises(ImageError) as caught:
        in_rgb(deep, "YBR_FULL")
    assert str(caught.value) == "the DICOM image is YBR_FULL of more than 8 bits; export the image in RGB"
