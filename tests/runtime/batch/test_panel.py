from dataclasses import replace

import numpy as np
import pytest
from drawn_retina import drawn_retina
from PIL import features

from retinagan.runtime.batch.coloring import Coloring
from retinagan.runtime.batch.panel import PanelParts, draw_panel, require_letters
from retinagan.runtime.batch.ruler import Ruler
from retinagan.runtime.errors import OptionError
from retinagan.runtime.model.parameters import Preprocessing
from retinagan.runtime.steps.prepare import prepare

DEGREES = Ruler("degrees", 45 / 166, 0.5, "camera of 45 degrees, which is assumed")


def parts(height=400, width=500, **changes) -> PanelParts:
    image, lines = drawn_retina(height, width)
    prepared = prepare(image, Preprocessing("none", 5.0, 128))
    overlay = np.where(lines[..., None], np.uint8([0, 255, 0]), image)
    values = lines.astype(np.float32)
    made = PanelParts(
        image, prepared, "none", values, prepared.retina.mask, overlay, DEGREES, None, "Model tiny.", ""
    )
    return replace(made, **changes)


def pictures(panel: np.ndarray, height=400, width=500) -> list[np.ndarray]:
    """The four pictures in a panel of pictures of this size."""
    letter = max(13, round(max(height, width) / 34))
    top, step = round(2.6 * letter), letter + max(width, 21 * letter)
    return [panel[top : top + height, letter + n * step : letter + n * step + width] for n in range(4)]


def test_four_pictures_stand_side_by_side():
    given = parts()
    image, equalized, probability, overlay = pictures(draw_panel(given))
    np.testing.assert_array_equal(image, given.image)
    np.testing.assert_array_equal(overlay, given.overlay)
    # the model's square is in its place: nowhere else does it fit better
    inside = given.prepared.retina.mask
    places = [(0, 0), (0, 4), (0, -4), (4, 0), (-4, 0)]
    misfits = [
        np.abs(np.roll(equalized.astype(int), place, (0, 1)) - image)[inside].mean() for place in places
    ]
    assert misfits[0] < 0.9 * min(misfits[1:])
    lines = given.probability > 0
    np.testing.assert_allclose(probability[lines & inside].mean(axis=0), [253, 231, 36], atol=3)
    assert not probability[~inside].any()


def test_large_images_shrink_and_small_ones_grow():
    assert draw_panel(parts(1500, 2000)).shape[1] == 5 * 30 + 4 * 1024
    assert draw_panel(parts(96, 128)).shape[1] == 5 * 13 + 4 * 384
    assert draw_panel(parts(1000, 200)).shape[0] > 1000  # a narrow one has columns for what is written


def below(panel: np.ndarray, column: int) -> np.ndarray:
    """What stands below a picture."""
    start = 15 + column * (15 + 500)
    return panel[39 + 400 + 2 : 39 + 400 + 55, start : start + 500]


def test_a_scale_bar_where_lengths_are_known():
    dark = (below(draw_panel(parts()), 0) < 100).all(axis=-1)
    length = round(20 / DEGREES.per_pixel)  # 20 degrees are the longest round length in a third of 500 pixels
    rows = dark[:, :length].all(axis=1)
    assert rows.any()
    assert not dark[rows, length : length + 4].any()
    without = below(draw_panel(parts(ruler=Ruler("pixels", 1.0, 3.0))), 0)
    assert (without == 255).all()


def test_colours_that_mean_something_have_a_legend():
    plain, values = draw_panel(parts()), parts().probability
    assert (below(plain, 3) == 255).all()
    coloured = draw_panel(parts(coloring=Coloring(values, 0.0, 0.5, "calibre in degrees", "+")))
    assert ((below(coloured, 3).max(axis=-1).astype(int) - below(coloured, 3).min(axis=-1)) > 60).sum() > 500
    assert (coloured[:39] != plain[:39]).any()  # the title says what colours it


def test_doubts_are_written_at_the_foot():
    plain = draw_panel(parts())
    long = draw_panel(parts(doubts="the map is likely to be less accurate than usual; " * 12))
    assert len(long) > len(plain) + 20
    red = (long[..., 0].astype(int) - long[..., 1] > 100)[len(plain) - 20 :]
    assert red.any()


def test_the_title_names_the_method_that_equalized():
    titles = [draw_panel(parts(equalization=name))[:38] for name in ("ace", "clahe", "none")]
    assert (titles[0] != titles[1]).any()
    assert (titles[1] != titles[2]).any()


def test_a_pillow_that_cannot_write(monkeypatch):
    require_letters()
    monkeypatch.setattr(features, "check", lambda name: False)
    with pytest.raises(OptionError, match="without FreeType, which writes the captions; type  pip install"):
        require_letters()
