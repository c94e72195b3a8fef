import cv2
import numpy as np
import pytest

from retinagan.runtime.batch.calibre import calibre, centre_line


def bar(width: int, length: int = 60) -> np.ndarray:
    """A vertical bar in a frame of 80 rows."""
    vessels = np.zeros((80, 40), bool)
    vessels[10 : 10 + length, 10 : 10 + width] = True
    return vessels


def thinned_plainly(vessels: np.ndarray) -> np.ndarray:
    """The algorithm as its authors wrote it down, with all pixels at once."""
    image = np.pad(vessels, 1)
    last = None
    while last is None or (image != last).any():
        last = image
        for odd in (True, False):
            p2, p3, p4, p5, p6, p7, p8, p9 = (
                np.roll(image, (-y, -x), (0, 1))
                for y, x in ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
            )
            ahead = ((p2, p3, p4), (p4, p5, p6), (p6, p7, p8), (p8, p9, p2))
            c = sum((~a & (b | d)).astype(int) for a, b, d in ahead)
            n1 = sum((a | b).astype(int) for a, b in ((p9, p2), (p3, p4), (p5, p6), (p7, p8)))
            n2 = sum((a | b).astype(int) for a, b in ((p2, p3), (p4, p5), (p6, p7), (p8, p9)))
            n = np.minimum(n1, n2)
            side = (p2 | p3 | ~p5) & p4 if odd else (p6 | p7 | ~p9) & p8
            image = image & ~((c == 1) & (n >= 2) & (n <= 3) & ~side)
    return image[1:-1, 1:-1]


@pytest.mark.parametrize("width", range(1, 12))
def test_the_width_of_a_bar_is_exact_if_odd_and_one_less_if_even(width):
    widths = calibre(bar(width))
    expected = width if width % 2 else width - 1
    np.testing.assert_array_equal(np.unique(widths[30:50]), [0, expected])
    np.testing.assert_array_equal(widths > 0, bar(width))


def test_a_slanted_vessel_has_its_width_to_a_pixel():
    vessels = np.zeros((200, 200), np.uint8)
    cv2.line(vessels, (20, 30), (180, 120), 1, 11)
    middle = calibre(vessels.astype(bool))[60:90, 70:130]
    assert middle[middle > 0] == pytest.approx(11, abs=1.5)


def test_each_of_two_vessels_has_its_own_width():
    vessels = bar(9)
    vessels[10:70, 28:31] = True
    widths = calibre(vessels)
    assert set(widths[40, 10:19]) == {9.0}
    assert set(widths[40, 28:31]) == {3.0}


def test_vessels_at_the_edge_of_the_image_and_none_at_all():
    whole = np.ones((7, 9), bool)
    assert calibre(whole).min() >= 1
    assert not calibre(np.zeros((7, 9), bool)).any()
    assert calibre(np.ones((1, 1), bool)).tolist() == [[1.0]]
    assert calibre(whole).dtype == np.float32


@pytest.mark.parametrize("seed", range(4))
def test_lines_are_those_of_the_algorithm(seed):
    noise = np.random.default_rng(seed).random((70, 90), np.float32)
    vessels = cv2.GaussianBlur(noise, (0, 0), 3) > 0.5
    line = centre_line(vessels)
    np.testing.assert_array_equal(line, thinned_plainly(vessels))
    assert not (line & ~vessels).any()
    assert (
        cv2.connectedComponents(line.view(np.uint8))[0] == cv2.connectedComponents(vessels.view(np.uint8))[0]
    )
