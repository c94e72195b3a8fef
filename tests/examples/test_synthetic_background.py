import numpy as np
import pytest
from synthetic_background import choose_pigment, paint_retina
from synthetic_drawing import DrawnVessels, View
from synthetic_vessels import FOVEA

VIEW = View(240, 300, (9.0, 9.0), (200.0, 120.0))


def vessels(veins=0.0, arteries=0.0):
    """Blood of one density all over the frame."""
    shape = (VIEW.height, VIEW.width)
    full = [np.full(shape, value, np.float32) for value in (veins, arteries, 0.0)]
    return DrawnVessels(*full, np.zeros(shape, bool))


def painted(seed=0, drawn=None):
    return paint_retina(np.random.default_rng(seed), VIEW, drawn or vessels())


def around(picture, degrees, reach=0.4):
    x, y = VIEW.pixels(np.array([degrees]))[0].astype(int)
    size = int(reach * VIEW.scale[0]) + 1
    return picture[y - size : y + size, x - size : x + size].mean(axis=(0, 1))


def test_the_same_seed_paints_the_same_retina():
    np.testing.assert_array_equal(painted(3), painted(3))
    assert np.abs(painted(3) - painted(4)).mean() > 1


@pytest.mark.parametrize("seed", range(4))
def test_a_retina_is_red_more_than_green_and_green_more_than_blue(seed):
    retina = painted(seed)
    assert (retina.shape, retina.dtype.kind) == ((240, 300, 3), "f")
    red, green, blue = retina.mean(axis=(0, 1))
    assert 300 > red > green > blue > 20


@pytest.mark.parametrize("seed", range(4))
def test_the_disc_is_bright_and_the_macula_dark(seed):
    retina = painted(seed)
    between = around(retina, tuple(np.array(FOVEA) / 2), 1.5)
    assert around(retina, (0, 0))[1] > 1.3 * between[1]
    assert around(retina, FOVEA)[1] < 0.95 * between[1]


@pytest.mark.parametrize("kind", ["veins", "arteries"])
def test_blood_takes_green_light_most(kind):
    share = painted(drawn=vessels(**{kind: 0.5})) / painted()
    red, green, blue = np.median(share, axis=(0, 1))
    assert green == pytest.approx(np.exp(-0.5), rel=1e-3)
    assert 1 > red > blue > green


def test_veins_take_more_red_than_arteries():
    veins, arteries = (painted(drawn=vessels(**{kind: 0.5})) for kind in ("veins", "arteries"))
    assert veins[..., 0].mean() < arteries[..., 0].mean()


def test_an_artery_covers_the_vein_that_it_crosses():
    crossing, artery = (np.median(painted(drawn=vessels(veins, 0.4))[..., 1]) for veins in (0.5, 0.0))
    apart = np.median(painted(drawn=vessels(0.9))[..., 1])
    assert apart < crossing < artery


def test_light_thrown_back_takes_away_from_the_bloods_colour():
    drawn = vessels(veins=0.5)
    shining = DrawnVessels(drawn.veins, drawn.arteries, drawn.reflex + np.float32(0.5), drawn.truth)
    assert painted(drawn=shining)[..., 1].mean() > painted(drawn=drawn)[..., 1].mean()


def test_pigments_differ_between_eyes_and_stay_plausible():
    pigments = [choose_pigment(np.random.default_rng(seed)) for seed in range(50)]
    reds = [pigment.retina[0] for pigment in pigments]
    assert max(reds) - min(reds) > 30
    for pigment in pigments:
        red, green, blue = pigment.retina
        assert 255 > red > green > blue > 30
        assert 0 < pigment.choroid < 1.2
