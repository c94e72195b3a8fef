import cv2
import numpy as np
import pytest
from fundus_drawings import Look, draw_fundus, overlap

from retinagan.runtime.retina.find import find_retina

DISC = (150.0, 150.0, 130.0)


def ground(kind, level, shape):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    light = {
        "flat": np.ones(shape),
        "from left to right": 0.5 + 0.5 * columns / shape[1],
        "from above to below": 0.6 + 0.4 * rows / shape[0],
        "round the middle": 1 - 0.4 * np.hypot(rows - shape[0] / 2, columns - shape[1] / 2) / shape[1],
    }[kind]
    return light[..., None] * np.array(level, np.float64)


def in_window(kind, level, place, shape=(420, 600)):
    """A black frame with a retina in a viewer's window; `place` is the frame's first row and column."""
    frame, mask = draw_fundus(300, 300, DISC)
    image = ground(kind, level, shape)
    whole = np.zeros(shape, np.bool_)
    window = slice(place[0], place[0] + 300), slice(place[1], place[1] + 300)
    image[window], whole[window] = frame, mask
    return np.rint(image).astype(np.uint8), whole


@pytest.mark.parametrize("kind", ["flat", "from left to right", "from above to below", "round the middle"])
@pytest.mark.parametrize(
    "level", [(212, 212, 212), (128, 128, 128), (150, 190, 240), (250, 250, 250)], ids=str
)
@pytest.mark.parametrize("place", [(60, 150), (10, 290)], ids=["in the middle", "in a corner"])
def test_a_frame_in_a_window_is_found(kind, level, place):
    image, mask = in_window(kind, level, place)
    found = find_retina(image)
    assert overlap(found.mask, mask) > 0.97
    assert found.warnings == ()


@pytest.mark.parametrize("level", [30, 70, 150])
def test_a_frame_that_cuts_the_disc_ends_where_the_window_begins(level):
    frame, mask = draw_fundus(240, 400, (200.0, 120.0, 150.0))
    image = np.full((440, 700, 3), level, np.uint8)
    whole = np.zeros(image.shape[:2], np.bool_)
    image[100:340, 150:550], whole[100:340, 150:550] = frame, mask
    found = find_retina(image)
    assert overlap(found.mask, whole) > 0.96
    assert not found.mask[:98].any()
    assert not found.mask[342:].any()


def test_a_window_with_text_and_jpeg_noise():
    image, mask = in_window("flat", (212, 212, 212), (60, 250))
    for line in range(8):
        cv2.putText(image, f"Field {line}: value", (10, 60 + 40 * line), 0, 0.6, (0, 0, 0), 1, cv2.LINE_AA)
    _, code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 60])
    found = find_retina(np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8))
    assert overlap(found.mask, mask) > 0.97


@pytest.mark.parametrize("gray", [128, 114])
@pytest.mark.parametrize("padding", [40, 90])
def test_local_contrast_on_gray_has_its_halo_left_out(gray, padding):
    frame, mask = draw_fundus(500, 500, (250.0, 250.0, 220.0), Look(noise=1.0))
    values = frame.astype(np.float32)
    filtered = np.clip(4 * values - 4 * cv2.GaussianBlur(values, (0, 0), 8) + gray, 0, 255).astype(np.uint8)
    sides = ((padding, padding), (padding, padding))
    image = np.pad(filtered, (*sides, (0, 0)), constant_values=gray)
    found = find_retina(image)
    truth = np.pad(mask, sides)
    assert overlap(found.mask, truth) > 0.95
    assert (found.mask & ~truth).sum() < 0.02 * truth.sum()


def test_retina_that_fills_the_frame_is_doubted():
    image, _ = draw_fundus(240, 300, (150, 120, 300))
    found = find_retina(image)
    assert found.mask.all()
    assert [str(warning) for warning in found.warnings] == [
        "whole-frame-as-retina: no fundus disc found; the whole frame is treated as retina"
    ]


def test_a_field_that_is_no_disc_is_doubted_with_its_share():
    field = np.zeros((300, 420), np.uint8)
    cv2.ellipse(field, (210, 150), (190, 120), 0, 0, 360, 1, -1)
    image, _ = draw_fundus(300, 420, (210, 150, 240), Look(color=(90, 140, 8)))
    image[field == 0] = 3
    (warning,) = find_retina(image).warnings
    assert warning.code == "whole-frame-as-retina"
    share = "its bright region, 58% of the frame, is treated as retina"
    assert warning.message == f"no fundus disc found; {share}"
