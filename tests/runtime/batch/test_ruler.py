import numpy as np
import pytest

from retinagan.runtime.batch.ruler import Ruler
from retinagan.runtime.images.photograph import Photograph
from retinagan.runtime.retina.disc import Disc
from retinagan.runtime.segmenter import Segmentation

DISC = Disc(60.0, 50.0, 45.0)


def ruler(angle_from="assumed", angle=45.0, **declared) -> Ruler:
    photograph = Photograph(np.zeros((100, 120, 3), np.uint8), 8, **declared)
    nothing = np.zeros((100, 120), np.float32)
    result = Segmentation(nothing, nothing > 0, nothing > 0, {}, field_of_view=angle)
    return Ruler.of(photograph, result, DISC, angle_from)


def test_millimetres_where_the_file_declares_spacing():
    assert ruler(pixel_spacing=(0.02, 0.01)) == Ruler("mm", 0.01, 0.18, "pixel spacing of the file")


@pytest.mark.parametrize(
    ("origin", "words"),
    [("given", "as given"), ("file", "as the file says"), ("assumed", "which is assumed")],
)
def test_degrees_where_there_is_an_angle_and_what_they_rest_on(origin, words):
    assert ruler(origin) == Ruler("degrees", 0.5, 0.6, f"camera of 45 degrees, {words}")


def test_a_model_of_fixed_size_knows_the_angle_of_the_file_alone():
    assert ruler("fixed", None, field_of_view=30.0) == Ruler(
        "degrees", 30 / 90, 0.6, "camera of 30 degrees, as the file says"
    )
    assert ruler("fixed", None) == Ruler("pixels", 1.0, 2.0)


@pytest.mark.parametrize(
    ("per_pixel", "longest", "pixels", "length"),
    [
        (0.01, 300, 200, 2),
        (0.01, 500, 500, 5),
        (0.01, 100, 100, 1),
        (0.05, 13.9, 10, 0.5),
        (3.0, 400, 1000 / 3, 1000),
    ],
)
def test_a_scale_bar_has_a_round_length(per_pixel, longest, pixels, length):
    assert Ruler("mm", per_pixel, 0.15).bar(longest) == pytest.approx((pixels, length))
