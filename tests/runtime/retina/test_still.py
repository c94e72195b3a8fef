import numpy as np
import pytest
from fundus_drawings import Look, draw_fundus, overlap

from retinagan.runtime import NoRetinaError
from retinagan.runtime.retina import still as still_retina
from retinagan.runtime.retina.find import find_retina
from retinagan.runtime.retina.still import StillRetina

HEIGHT, WIDTH, DISC = 290, 300, (150.0, 144.0, 130.0)


@pytest.fixture
def searches(monkeypatch):
    """The shapes of the images that were really searched."""
    shapes = []

    def counted(image):
        shapes.append(image.shape)
        return find_retina(image)

    monkeypatch.setattr(still_retina, "find_retina", counted)
    return shapes


def frame(disc=DISC, hidden=None, **look):
    return draw_fundus(HEIGHT, WIDTH, disc, Look(**look), hidden)


def test_the_first_is_found_as_ever(searches):
    image, _ = frame()
    found, expected = StillRetina()(image), find_retina(image)
    np.testing.assert_array_equal(found.mask, expected.mask)
    assert found.disc == expected.disc
    assert searches == [image.shape]


def test_the_same_is_given_while_only_light_noise_and_eye_change(searches):
    find = StillRetina()
    known = find(frame()[0])
    dimmer, redder = (120.0, 60.0, 30.0), (210.0, 80.0, 40.0)
    looks = [
        {"seed": 1},
        {"seed": 2, "noise": 5.0},
        {"seed": 3, "color": dimmer},
        {"seed": 4, "color": redder, "tilt": 0.15},
        {"seed": 5, "margin": (9.0, 7.0, 7.0)},
    ]
    for look in looks:
        image, truth = frame(**look)
        found = find(image)
        np.testing.assert_array_equal(found.mask, known.mask)
        assert found.disc == known.disc
        assert overlap(found.mask, truth) > 0.98
    image = frame()[0]
    turned = np.where(known.mask[..., None], image[::-1, ::-1], image)  # another eye, the same camera
    np.testing.assert_array_equal(find(turned).mask, known.mask)
    assert len(searches) == 1


@pytest.mark.parametrize("step", [(0.5, 0.0), (0.0, -0.5), (0.4, 0.4)])
def test_a_retina_that_moves_is_found_again(searches, step):
    find = StillRetina()
    for number in range(30):
        disc = (DISC[0] - 8 + number * step[0], DISC[1] + number * step[1], DISC[2])
        image, truth = frame(disc, seed=number)
        mask = find(image).mask
        assert overlap(mask, truth) > 0.98
        assert overlap(mask, find_retina(image).mask) > 0.975
    assert 3 <= len(searches) <= 25


@pytest.mark.parametrize("change", [(0, 0, 4), (0, 0, -4), (6, 0, 0), (0, -3, 0)])
def test_a_change_at_once_is_noticed(searches, change):
    find = StillRetina()
    find(frame()[0])
    image, _ = frame(tuple(np.add(DISC, change)), seed=1)
    np.testing.assert_array_equal(find(image).mask, find_retina(image).mask)
    assert len(searches) == 2


def test_a_part_that_is_covered_is_noticed(searches):
    find = StillRetina()
    find(frame()[0])
    hidden = np.zeros((HEIGHT, WIDTH), np.bool_)
    hidden[:60] = True
    image, _ = frame(hidden=hidden, seed=1)
    np.testing.assert_array_equal(find(image).mask, find_retina(image).mask)
    assert len(searches) == 2


def test_a_blink_is_refused_and_then_the_same_retina_holds(searches):
    find = StillRetina()
    known = find(frame()[0])
    with pytest.raises(NoRetinaError):
        find(np.full((HEIGHT, WIDTH, 3), 4, np.uint8))
    found = find(frame(seed=1)[0])
    np.testing.assert_array_equal(found.mask, known.mask)
    assert len(searches) == 2


def test_another_size_is_searched(searches):
    find = StillRetina()
    image, _ = frame()
    find(image)
    smaller = np.ascontiguousarray(image[:-2])
    assert find(smaller).mask.shape == (HEIGHT - 2, WIDTH)
    assert len(searches) == 2


def test_without_a_margin_each_is_searched(searches):
    find = StillRetina()
    image, _ = frame((150.0, 144.0, 260.0))
    for _ in range(3):
        assert find(image).mask.all()
    assert len(searches) == 3


def test_a_faint_step_from_margin_to_retina_is_searched(searches):
    find = StillRetina()
    image, _ = frame(color=(22.0, 14.0, 10.0), margin=(10.0, 8.0, 8.0), noise=0.0)
    for _ in range(3):
        find(image)
    assert len(searches) == 3


def test_it_is_the_same_object_which_nobody_can_change():
    find = StillRetina()
    first, second = (find(frame(seed=seed)[0]) for seed in range(2))
    assert second is first
    with pytest.raises(ValueError, match="read-only"):
        first.mask[:] = False
