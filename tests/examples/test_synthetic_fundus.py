from pathlib import Path

import cv2
import numpy as np
import pytest
import synthetic_fundus
from synthetic_camera import CAMERAS
from synthetic_fundus import EXAMPLES, Fundus, FundusOptions, main, render

IMAGES = Path(synthetic_fundus.__file__).parent / "images"
SMALL = CAMERAS["canon"].scaled(0.4)


@pytest.fixture(scope="module")
def canon() -> Fundus:
    return render(FundusOptions(seed=11))


@pytest.fixture(scope="module")
def examples(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    main(["--out", str(folder)])
    return folder


def beside(fundus: Fundus) -> np.ndarray:
    """Pixels two or three away from the nearest vessel, well inside the field."""
    near, far, inner = (np.ones((side, side), np.uint8) for side in (3, 7, 9))
    vessels = fundus.vessels.astype(np.uint8)
    ring = (cv2.dilate(vessels, far) > 0) & (cv2.dilate(vessels, near) == 0)
    return ring & (cv2.erode(fundus.roi.astype(np.uint8), inner, borderValue=0) > 0)


def disc_column(image: np.ndarray) -> int:
    """Column of the brightest spot in green: the optic disc."""
    smooth = cv2.GaussianBlur(image[..., 1], (0, 0), image.shape[0] / 40)
    return int(np.unravel_index(smooth.argmax(), smooth.shape)[1])


def test_same_seed_same_picture_other_seed_other_vessels():
    first, second, other = (render(FundusOptions(seed, SMALL)) for seed in (3, 3, 4))
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.vessels, second.vessels)
    assert (first.vessels & other.vessels).sum() < 0.5 * first.vessels.sum()


def test_shapes_and_types(canon):
    assert (canon.image.shape, canon.image.dtype) == ((584, 565, 3), np.uint8)
    assert (canon.vessels.shape, canon.vessels.dtype) == ((584, 565), bool)
    assert (canon.roi.shape, canon.roi.dtype) == ((584, 565), bool)


@pytest.mark.parametrize("name", CAMERAS)
def test_picture_agrees_with_truth_and_roi(name):
    camera = CAMERAS[name].scaled(240 / CAMERAS[name].radius / 2)
    fundus = render(FundusOptions(5, camera))
    assert fundus.image.shape == (camera.height, camera.width, 3)
    assert not (fundus.vessels & ~fundus.roi).any()
    bright = fundus.image.max(2) > 25
    assert (bright & fundus.roi).sum() > 0.97 * (bright | fundus.roi).sum()
    green = fundus.image[..., 1].astype(float)
    assert green[fundus.vessels].mean() < 0.93 * green[beside(fundus)].mean()


def test_contrast_of_vessels_is_that_of_real_pictures(canon):
    red, green, blue = np.moveaxis(canon.image.astype(float), 2, 0)
    ratio = [band[canon.vessels].mean() / band[beside(canon)].mean() for band in (red, green, blue)]
    assert ratio == pytest.approx([0.94, 0.85, 0.91], abs=0.04)


def test_wide_vessels_contrast_more_than_fine_ones(canon):
    vessels = canon.vessels.astype(np.uint8)
    empty = (canon.roi & ~canon.vessels).astype(float)
    green = canon.image[..., 1].astype(float)
    background = cv2.blur(green * empty, (31, 31)) / np.maximum(cv2.blur(empty, (31, 31)), 1e-6)
    ratio = green / np.maximum(background, 1)
    wide = cv2.morphologyEx(vessels, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)) > 0
    assert ratio[wide].mean() < ratio[canon.vessels & ~wide].mean() - 0.05


def test_vessel_density_is_that_of_real_pictures(canon):
    assert 0.09 < canon.vessels[canon.roi].mean() < 0.15


def test_colours_are_those_of_a_retina(canon):
    red, green, blue = np.median(canon.image[canon.roi], axis=0)
    assert 130 < red < 230
    assert 0.4 < green / red < 0.7
    assert 0.2 < blue / red < 0.5


def test_disc_is_right_in_a_right_eye_and_left_in_a_left_eye():
    right, left = (render(FundusOptions(6, SMALL, eye)) for eye in ("right", "left"))
    assert disc_column(right.image) > SMALL.center_x + SMALL.radius / 2
    assert disc_column(left.image) < SMALL.center_x - SMALL.radius / 2


def test_unknown_camera_is_named():
    with pytest.raises(
        ValueError, match=r"unknown camera 'polaroid': use one of canon, topcon, wide, smartphone"
    ):
        render(FundusOptions(camera="polaroid"))


def test_unknown_eye_is_named():
    with pytest.raises(ValueError, match=r"unknown eye 'third': use 'right' or 'left'"):
        render(FundusOptions(eye="third"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_committed_example_is_what_the_command_draws(name, examples):
    committed, drawn = (cv2.imread(str(folder / name)).astype(float) for folder in (IMAGES, examples))
    assert (IMAGES / name).stat().st_size < 300_000
    assert committed.shape == drawn.shape
    assert np.abs(committed - drawn).mean() < 1.0


def test_examples_folder_holds_the_examples_alone():
    assert {path.name for path in IMAGES.iterdir()} == set(EXAMPLES)


def test_command_writes_a_dataset(tmp_path, monkeypatch):
    monkeypatch.setitem(CAMERAS, "topcon", SMALL)
    main(["--count", "2", "--seed", "8", "--camera", "topcon", "--out", str(tmp_path)])
    written = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*"))
    assert written == [
        f"{folder}/000{seed}.png" for folder in ("images", "labels", "masks") for seed in (8, 9)
    ]
    fundus = render(FundusOptions(9, SMALL, "left"))
    assert np.array_equal(cv2.imread(str(tmp_path / "images/0009.png"))[..., ::-1], fundus.image)
    assert np.array_equal(cv2.imread(str(tmp_path / "labels/0009.png"), -1), fundus.vessels * np.uint8(255))
    assert np.array_equal(cv2.imread(str(tmp_path / "masks/0009.png"), -1), fundus.roi * np.uint8(255))


@pytest.mark.parametrize("arguments", [("--count", "0"), ("--count", "2", "--seed", "-1")])
def test_command_refuses_senseless_numbers(arguments, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--out", str(tmp_path)])
    assert stop.value.code == 2
    assert "expected --count from 1 and --seed from 0" in capsys.readouterr().err
