import pytest

from retinagan.train.data.layouts import LAYOUTS, layout_of

BY_NAME = {layout.name: layout for layout in LAYOUTS}


@pytest.mark.parametrize(
    ("name", "keys", "training", "test"),
    [
        ("CHASE_DB1", [f"{number:02}{eye}" for number in range(1, 15) for eye in "LR"], 20, 8),
        ("HRF", [f"{number:02}_{kind}" for number in range(1, 16) for kind in ("dr", "g", "h")], 15, 30),
        ("STARE", [f"im{number:04}" for number in range(20)], 16, 4),
        ("plain", [f"eye{number}" for number in range(12)], 10, 2),
    ],
)
def test_each_rule_leaves_the_customary_number_for_testing(name, keys, training, test):
    tests = [BY_NAME[name].is_test(position, key, len(keys)) for position, key in enumerate(keys)]
    assert (tests.count(False), tests.count(True)) == (training, test)


def test_drive_is_a_half_already():
    assert BY_NAME["DRIVE"].is_test is None


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("images", "1st_manual"), "DRIVE"),
        (("images", "manual1"), "HRF"),
        (("images", "labels"), "plain"),
        (("Image_01L.jpg",), "CHASE_DB1"),
        (("stare-images",), "STARE"),
        (("im0001.ppm",), "STARE"),
        (("im0001.ppm.gz",), "STARE"),
        (("images",), None),
        ((), None),
    ],
)
def test_a_layout_is_known_by_its_names(tmp_path, names, expected):
    for name in names:
        (tmp_path / name).touch() if "." in name else (tmp_path / name).mkdir()
    found = layout_of(tmp_path)
    assert (found and found.name) == expected
