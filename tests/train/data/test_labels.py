import numpy as np
import pytest
from PIL import Image

from retinagan.train.data.labels import LabelError, as_label, map_values, read_label, say_mapping

DRAWN = np.zeros((60, 80), bool)
DRAWN[10:13] = DRAWN[:, 30:34] = True
HALF = np.indices(DRAWN.shape)[1] < 40
RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)


def coloured(artery, vein, background=(0, 0, 0)):
    picture = np.full((*DRAWN.shape, 3), background, np.uint8)
    picture[DRAWN & HALF], picture[DRAWN & ~HALF] = artery, vein
    return picture


def rite():
    picture = coloured(RED, BLUE)
    picture[11, 30:34] = GREEN
    return picture


FORMS = {
    "0 and 255": (DRAWN * np.uint8(255), "2 values: 0 = background, 255 = vessel"),
    "0 and 1": (DRAWN * np.uint8(1), "2 values: 0 = background, 1 = vessel"),
    "0 and 1 in 16 bits": (DRAWN * np.uint16(1), "2 values: 0 = background, 1 = vessel"),
    "0 and 100": (DRAWN * np.uint8(100), "2 values: 0 = background, 100 = vessel"),
    "classes": (DRAWN * np.where(HALF, 1, 2).astype(np.uint8), "3 values: 0 = background, 1 and 2 = vessel"),
    "grey in RGB": (
        np.repeat((DRAWN * np.uint8(255))[..., None], 3, 2),
        "2 values: 0 = background, 255 = vessel",
    ),
    "red": (coloured(RED, RED), "1 colour: red = vessel"),
    "arteries and veins": (coloured(RED, BLUE), "2 colours: blue, red = vessel"),
    "RITE": (rite(), "3 colours: blue, green, red = vessel"),
    "yellow and blue": (coloured(YELLOW, BLUE), "2 colours: blue, yellow = vessel"),
    "a palette's dark colours": (
        coloured((128, 0, 0), (0, 128, 0)),
        "2 colours: dark green, dark red = vessel",
    ),
    "another colour": (coloured((90, 160, 40), (90, 160, 40)), "1 colour: rgb(90, 160, 40) = vessel"),
    "colours on white": (coloured(RED, BLUE, (255, 255, 255)), "2 colours: blue, red = vessel"),
}


@pytest.mark.parametrize("name", FORMS)
def test_what_is_not_background_is_drawn(name):
    picture, mapping = FORMS[name]
    label = as_label(picture)
    np.testing.assert_array_equal(label.mask, DRAWN)
    assert label.mapping == mapping
    assert label.plain == (name in ("0 and 255", "grey in RGB"))


@pytest.mark.parametrize("picture", [DRAWN * np.uint8(255), rite()])
def test_a_compressed_drawing_is_read_nearly_as_it_was(picture, tmp_path):
    Image.fromarray(picture).save(tmp_path / "label.jpg", quality=85, subsampling=0)
    assert (read_label(tmp_path / "label.jpg").mask == DRAWN).mean() > 0.99


def test_a_palette_file_is_read_by_its_colours(tmp_path):
    image = Image.fromarray(DRAWN * np.where(HALF, 1, 2).astype(np.uint8), "L")
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    image.save(tmp_path / "label.png")
    np.testing.assert_array_equal(read_label(tmp_path / "label.png").mask, DRAWN)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros((9, 9), np.uint8), "every pixel has the value 0: nothing is drawn; if it is drawn in the"),
        (
            np.where(DRAWN, 1, np.where(np.indices(DRAWN.shape)[0] > 50, 255, 0)).astype(np.uint8),
            "values 0, 1 and 255: 255 beside class numbers may mean vessel or left out",
        ),
        (
            np.where((np.indices(DRAWN.shape)[0] > 50)[..., None], 0, coloured(RED, BLUE, (255, 255, 255)))
            .astype(np.uint8),
            "both the first and black may be the background",
        ),
    ],
)  # fmt: skip
def test_what_is_ambiguous_is_refused_with_its_values(picture, message):
    with pytest.raises(LabelError, match=message):
        as_label(picture)


def test_a_mapping_is_printed_once_and_black_and_white_never(capsys):
    for picture in (FORMS["another colour"][0], FORMS["another colour"][0], FORMS["0 and 255"][0]):
        say_mapping(as_label(picture))
    assert capsys.readouterr().err == "labels: 1 colour: rgb(90, 160, 40) = vessel\n"


@pytest.mark.parametrize("name", [name for name in FORMS if name != "colours on white"])
def test_a_map_that_equals_the_truth_is_0_and_1(name):
    np.testing.assert_array_equal(map_values(FORMS[name][0]), DRAWN.astype(np.float32))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_shades_of_a_map_are_probabilities(kind):
    full = np.iinfo(kind).max
    shades = np.linspace(0, full, 80).astype(kind)[None].repeat(4, 0)
    np.testing.assert_allclose(map_values(shades), shades / full, rtol=1e-6)


def test_an_empty_map_is_one():
    assert not map_values(np.zeros((5, 5), np.uint16)).any()


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        ((~DRAWN) * np.uint8(255), r"9\d% of it is vessel: the map looks inverted"),
        (
            np.linspace(0, 4095, 80).astype(np.uint16)[None].repeat(4, 0),
            "values from 0 to 4095 in 16 bits may be 12-bit probabilities or small ones",
        ),
        (
            np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8),
            "this is a picture in colour; expected a map in grey",
        ),
    ],
)
def test_maps_that_cannot_be_scored_are_refused(picture, message):
    with pytest.raises(LabelError, match=message):
        map_values(picture)


def test_a_picture_of_one_colour_shows_nothing():
    with pytest.raises(LabelError, match="every pixel is red: nothing is drawn"):
        as_label(np.full((4, 5, 3), RED, np.uint8))


def test_an_area_drawn_in_colour_is_what_is_not_dark(tmp_path):
    area = np.indices(DRAWN.shape)[0] > 10  # more than half of the picture
    for name, picture in {"most.png": area[..., None] * RED, "all.png": np.full((60, 80, 3), RED)}.items():
        Image.fromarray(picture.astype(np.uint8)).save(tmp_path / name)
    assert np.array_equal(read_label(tmp_path / "most.png", "field of view", area=True).mask, area)
    assert read_label(tmp_path / "all.png", "field of view", area=True).mask.all()
