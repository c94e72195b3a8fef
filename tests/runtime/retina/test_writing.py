import cv2
import numpy as np
import pytest
from canon_eye import canon_eye
from retina_squares import square_of

from retinagan.runtime.images.reading import read_image
from retinagan.runtime.retina.find import find_retina
from retinagan.runtime.retina.fine import fine_square
from retinagan.runtime.retina.writing import is_written_on

EYE = canon_eye().image
RETINA = find_retina(EYE)


def drawn(image, side=608):
    return is_written_on(fine_square(*square_of(image, RETINA, side)))


def written(text, color, size=0.6, width=1, place=(150, 300)):
    image = EYE.copy()
    cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, color, width, cv2.LINE_AA)
    return image


@pytest.mark.parametrize("side", [608, 1000])
def test_an_eye_has_none(side):
    assert not drawn(EYE, side)


@pytest.mark.parametrize(
    ("text", "color", "size", "width"),
    [
        ("JANE DOE 01.01.1970", (255, 255, 255), 0.6, 1),
        ("OD", (255, 255, 0), 1.0, 2),
        ("OD", (0, 0, 0), 1.0, 2),
        ("OS", (0, 255, 0), 0.5, 1),
        ("->", (0, 0, 255), 1.0, 2),
        ("1", (255, 255, 255), 0.5, 1),
    ],
)
def test_letters_of_any_colour_are_seen(text, color, size, width):
    assert drawn(written(text, color, size, width))


def test_lines_and_circles_are_seen_and_compressed_letters():
    line, circle = EYE.copy(), EYE.copy()
    cv2.line(line, (200, 250), (330, 250), (0, 255, 255), 1, cv2.LINE_AA)
    cv2.circle(circle, (250, 260), 30, (255, 255, 255), 1, cv2.LINE_AA)
    assert drawn(line)
    assert drawn(circle)
    stored = cv2.imencode(".jpg", written("JANE DOE", (255, 255, 255)), [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
    assert drawn(cv2.imdecode(stored, cv2.IMREAD_COLOR))


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize(("opacity", "seen"), [(0.1, False), (0.3, True), (0.6, True)])
def test_a_watermark_that_lets_the_retina_shine_through_is_seen(level, opacity, seen):
    strokes = np.zeros(EYE.shape[:2], np.uint8)
    cv2.putText(strokes, "SAMPLE", (110, 300), cv2.FONT_HERSHEY_SIMPLEX, 3.0, 255, 9, cv2.LINE_AA)
    share = opacity * (strokes / np.float32(255))[..., None]
    assert drawn(np.round(EYE * (1 - share) + level * share).astype(np.uint8)) == seen


@pytest.mark.parametrize("gain", [1.0, 1.8])
def test_vessels_of_a_grey_picture_are_no_writing(gain):
    green = np.clip(EYE[..., 1:2] * np.float32(gain), 0, 255).astype(np.uint8)
    assert not drawn(np.repeat(green, 3, axis=2))


def test_letters_outside_the_retina_do_not_matter():
    assert not drawn(written("OD 2020", (255, 255, 255), place=(2, 20)))


@pytest.mark.parametrize("sigma", [10, 20, 40])
def test_noise_is_no_writing(sigma):
    noise = np.random.default_rng(0).normal(0, sigma, EYE.shape)
    assert not drawn(np.clip(EYE + noise, 0, 255).astype(np.uint8))


def test_hot_pixels_are_no_writing():
    image = EYE.copy()
    image[np.random.default_rng(0).random(image.shape[:2]) < 0.0005] = 255
    assert not drawn(image)


def test_no_real_photograph_has_writing(drive):
    paths = sorted(drive.glob("*/images/*.tif"))
    assert len(paths) == 40
    written_on = []
    for path in paths:
        image = read_image(path).pixels
        if is_written_on(fine_square(*square_of(image, find_retina(image)))):
            written_on.append(path.name)
    assert not written_on
