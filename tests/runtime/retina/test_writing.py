import cv2
import numpy as np
import pytest
from canon_eye import canon_eye
from retina_squares import square_of

from retinagan.runtime.images.reading import read_image
from retinagan.runtime.retina.find import find_retina
from retinagan.runtime.retina.writing import drawn_pixels

EYE = canon_eye().image
RETINA = find_retina(EYE)


def drawn(image, side=608):
    return drawn_pixels(*square_of(image, RETINA, side))


def written(text, color, size=0.6, width=1, place=(150, 300)):
    image = EYE.copy()
    cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, color, width, cv2.LINE_AA)
    return image


@pytest.mark.parametrize("side", [608, 1000])
def test_an_eye_has_none(side):
    assert drawn(EYE, side) == 0


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
    assert drawn(written(text, color, size, width)) >= 24


def test_lines_and_circles_are_seen_and_compressed_letters():
    line, circle = EYE.copy(), EYE.copy()
    cv2.line(line, (200, 250), (330, 250), (0, 255, 255), 1, cv2.LINE_AA)
    cv2.circle(circle, (250, 260), 30, (255, 255, 255), 1, cv2.LINE_AA)
    assert drawn(line) >= 24
    assert drawn(circle) >= 24
    stored = cv2.imencode(".jpg", written("JANE DOE", (255, 255, 255)), [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
    assert drawn(cv2.imdecode(stored, cv2.IMREAD_COLOR)) >= 24


def test_letters_outside_the_retina_do_not_matter():
    assert drawn(written("OD 2020", (255, 255, 255), place=(2, 20))) == 0


@pytest.mark.parametrize("sigma", [10, 20, 40])
def test_noise_is_no_writing(sigma):
    noise = np.random.default_rng(0).normal(0, sigma, EYE.shape)
    assert drawn(np.clip(EYE + noise, 0, 255).astype(np.uint8)) == 0


def test_hot_pixels_are_no_writing():
    image = EYE.copy()
    image[np.random.default_rng(0).random(image.shape[:2]) < 0.0005] = 255
    assert drawn(image) < 24


def test_no_real_photograph_has_writing(drive):
    paths = sorted(drive.glob("*/images/*.tif"))
    assert len(paths) == 40
    counts = {}
    for path in paths:
        image = read_image(path).pixels
        counts[path.name] = drawn_pixels(*square_of(image, find_retina(image)))
    assert not {name: count for name, count in counts.items() if count}
