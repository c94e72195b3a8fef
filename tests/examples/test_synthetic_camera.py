import numpy as np
import pytest
from synthetic_camera import CAMERAS, Camera, field_of_view


def touched(field: np.ndarray) -> tuple[bool, bool, bool, bool]:
    """Whether the field reaches the frame's top, bottom, left and right."""
    inside = field >= 0.5
    return bool(inside[0].any()), bool(inside[-1].any()), bool(inside[:, 0].any()), bool(inside[:, -1].any())


@pytest.mark.parametrize("name", CAMERAS)
def test_field_is_the_circle_of_the_preset(name):
    camera = CAMERAS[name]
    field = field_of_view(camera)
    assert field.shape == (camera.height, camera.width)
    assert field.dtype == np.float32
    assert (field.min(), field.max()) == (0.0, 1.0)
    row = field[round(camera.center_y)]
    assert row.sum() == pytest.approx(2 * camera.radius, abs=2)


def test_margins_of_the_presets():
    assert CAMERAS["canon"].width == 565
    assert CAMERAS["canon"].height == 584
    whole = (False, False, False, False)
    assert {name: touched(field_of_view(camera)) for name, camera in CAMERAS.items()} == {
        "canon": whole,
        "topcon": whole,
        "smartphone": whole,
        "wide": (True, True, False, False),
    }


def test_notch_is_a_tab_outside_the_circle_on_the_upper_right():
    camera = CAMERAS["topcon"]
    rows, columns = np.nonzero(field_of_view(camera) >= 0.5)
    outside = np.hypot(columns - camera.center_x, rows - camera.center_y) > camera.radius + 1
    assert 200 < outside.sum() < 2000
    assert (columns[outside] > camera.center_x).all()
    assert (rows[outside] < camera.center_y).all()


def test_scaled_camera_keeps_its_field_in_fewer_pixels():
    half = CAMERAS["wide"].scaled(0.5)
    assert (half.height, half.width) == (500, 750)
    assert half.pixels_per_degree == pytest.approx(CAMERAS["wide"].pixels_per_degree / 2)
    assert field_of_view(half).mean() == pytest.approx(field_of_view(CAMERAS["wide"]).mean(), abs=0.005)


def test_pixels_per_degree_is_the_circle_over_the_angle():
    assert Camera(100, 100, 50, 50, 45.0, field=30.0).pixels_per_degree == 3.0
