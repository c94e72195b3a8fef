from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import pytest
from fundus_drawings import Look, disc_mask, draw_fundus, overlap

from retinagan.runtime.errors import ImageError, NoRetinaError
from retinagan.runtime.images.reading import read_image
from retinagan.runtime.retina.find import find_retina
from retinagan.runtime.steps.crop import square_crop
from retinagan.runtime.steps.rim import with_rim

DEFAULT = Look()
DIM = Look(color=(60, 40, 25), margin=(24, 22, 14), noise=5, softness=3, vignette=0.4)
CHASE = Look(color=(130, 60, 20), margin=(2, 2, 2), softness=3, vignette=0.85)
PHONE = Look(color=(200, 110, 60), margin=(10, 8, 8))


@dataclass(frozen=True)
class Case:
    """A drawn picture, and how well its retina must be found."""

    shape: tuple[int, int]
    disc: tuple[float, float, float]
    look: Look = DEFAULT
    hidden: Any = None
    changed: Any = None
    least: float = 0.985


def box(shape, rows, columns):
    mask = np.zeros(shape, bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


def triangle(shape, *corners):
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.array(corners)], 1)
    return mask > 0


def lettered(image):
    cv2.putText(image, "OD 45deg 2021-03-04", (5, image.shape[0] - 6), 0, 0.4, (255, 255, 255), 1)
    cv2.putText(image, "R", (image.shape[1] - 30, 30), 0, 1, (255, 255, 0), 3)
    return image


def jpeg(image):
    _, code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 10])
    return cv2.imdecode(code, cv2.IMREAD_COLOR)


def glow(y, x, width, strength):
    def add(image):
        rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
        light = strength * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * width**2))
        return np.clip(image + light[:, :, None], 0, 255).astype(np.uint8)

    return add


def tab_outside(image):
    image[45:62, 242:265] = (180, 95, 45)
    return image


def shadow(y, x, radius, depth, blur):
    def darken(image):
        mask = cv2.circle(np.zeros(image.shape[:2], np.float32), (x, y), radius, 1.0, -1)
        return (image * (1 - depth * cv2.GaussianBlur(mask, (0, 0), blur)[:, :, None])).astype(np.uint8)

    return darken


WHOLE = (141, 145, 134)
CASES = {
    "canon": Case((292, 282), WHOLE),
    "dark": Case((292, 282), WHOLE, Look(color=(38, 18, 9), margin=(3, 3, 3))),
    "very dark": Case((292, 282), WHOLE, Look(color=(22, 11, 6), margin=(2, 2, 2), vignette=0.5)),
    "bright": Case((292, 282), WHOLE, Look(color=(255, 230, 160), margin=(12, 12, 12), vignette=0.1)),
    "overexposed": Case((292, 282), WHOLE, Look(color=(400, 330, 260), margin=(20, 20, 20))),
    "lit from one side": Case((292, 282), WHOLE, Look(tilt=0.8, vignette=0.2)),
    "grey": Case((292, 282), WHOLE, Look(color=(120, 120, 120))),
    "green only": Case((292, 282), WHOLE, Look(color=(0, 120, 0), margin=(0, 3, 0))),
    "blue margin": Case((292, 282), WHOLE, Look(margin=(10, 10, 40))),
    "grey margin": Case((292, 282), WHOLE, Look(color=(200, 120, 60), margin=(60, 60, 60))),
    "white margin": Case((292, 282), WHOLE, Look(margin=(255, 255, 255))),
    "dark with a white margin": Case((292, 282), WHOLE, Look(color=(60, 30, 15), margin=(255, 255, 255))),
    "high gain": Case((292, 282), WHOLE, Look(color=(60, 35, 20), margin=(8, 8, 8), noise=15), least=0.98),
    "noisy margin": Case((292, 282), WHOLE, Look(color=(160, 90, 45), margin=(25, 25, 25), noise=20)),
    "JPEG ringing": Case((300, 350), (175, 150, 135), Look(color=(120, 60, 25)), changed=jpeg, least=0.98),
    "lettering": Case((300, 350), (175, 150, 135), changed=lettered),
    "lettering in noise": Case(
        (300, 350), (175, 150, 135), Look(color=(70, 35, 15), margin=(14, 14, 18), noise=6), changed=lettered
    ),
    "cut on one side": Case((292, 232), (91, 145, 134)),
    "cut on two sides": Case((220, 300), (150, 110, 134)),
    "cut on four sides": Case((220, 220), (110, 110, 134)),
    "only the corners left": Case((200, 200), (100, 100, 134)),
    "one corner left": Case((250, 250), (60, 60, 165)),
    "half": Case((290, 145), (0, 145, 134)),
    "quarter": Case((150, 145), (0, 0, 134), least=0.98),
    "square notch": Case((300, 300), (150, 150, 135), hidden=box((300, 300), (15, 45), (205, 235))),
    "triangular notch": Case(
        (300, 300), (150, 150, 135), hidden=triangle((300, 300), (288, 140), (288, 160), (265, 150))
    ),
    "large notch": Case((300, 300), (150, 150, 135), hidden=box((300, 300), (15, 65), (130, 165))),
    "tab outside the rim": Case((300, 300), (150, 150, 135), changed=tab_outside),
    "straight cuts in the frame": Case(
        (400, 450),
        (225, 200, 210),
        hidden=box((400, 450), (0, 45), (0, 450)) | box((400, 450), (355, 400), (0, 450)),
    ),
    "dim with a noisy margin": Case((302, 350), (170, 150, 155), DIM, least=0.98),
    "rim fades into the margin": Case((480, 500), (250, 240, 230), CHASE, least=0.98),
    "wide frame": Case((480, 720), (360, 240, 232)),
    "panorama": Case((300, 1200), (600, 150, 140)),
    "portrait": Case((600, 200), (100, 300, 95)),
    "small disc off the centre": Case((600, 450), (190, 350, 65), PHONE, least=0.97),
    "flare over the rim": Case((600, 450), (190, 350, 130), PHONE, changed=glow(250, 300, 65, 90)),
    "haze round it": Case((600, 450), (190, 350, 130), PHONE, changed=glow(350, 190, 150, 60)),
    "infant": Case((240, 320), (160, 120, 117), Look(color=(150, 90, 70), vignette=0.5, softness=2)),
    "infant, dim and cut": Case((240, 320), (160, 120, 155), Look(color=(70, 45, 35), vignette=0.6)),
    "haemorrhage": Case((300, 300), (150, 150, 135), changed=shadow(200, 200, 45, 0.95, 3)),
    "dark retina at the rim": Case((300, 300), (150, 150, 135), changed=shadow(225, 250, 55, 0.85, 5)),
    "eyelid": Case((300, 300), (150, 150, 135), changed=shadow(-50, 150, 120, 0.97, 12)),
    "2000 pixels": Case((1400, 2100), (1050, 700, 980), Look(noise=3, softness=2), least=0.995),
    "128 pixels": Case((128, 128), (64, 63, 58)),
    "64 pixels": Case((64, 64), (31.5, 32.5, 29), least=0.97),
    "64 pixels, cut": Case((64, 64), (32, 32, 38), least=0.97),
    "32 pixels": Case((32, 32), (16, 16, 14), least=0.95),
}


def drawn(case):
    image, mask = draw_fundus(*case.shape, case.disc, case.look, case.hidden)
    return (image if case.changed is None else case.changed(image)), mask


@pytest.mark.parametrize("name", CASES)
def test_finds_the_retina(name):
    case = CASES[name]
    image, truth = drawn(case)
    found = find_retina(image)
    assert found.mask.shape == truth.shape
    assert found.mask.dtype == bool
    assert overlap(found.mask, truth) >= case.least
    x, y, radius = case.disc
    error = np.abs(np.array([found.disc.center_x - x, found.disc.center_y - y, found.disc.radius - radius]))
    assert error.max() <= 0.02 * radius


@pytest.mark.parametrize(
    "name", ["canon", "haemorrhage", "square notch", "lettering", "dim with a noisy margin"]
)
def test_mask_is_one_piece_without_holes(name):
    mask = find_retina(drawn(CASES[name])[0]).mask
    assert cv2.connectedComponents(mask.astype(np.uint8))[0] == 2
    assert cv2.connectedComponents(np.pad(~mask, 1, constant_values=True).astype(np.uint8))[0] == 2


@pytest.mark.parametrize("name", ["square notch", "large notch", "triangular notch"])
def test_notch_is_left_out_of_the_mask(name):
    case = CASES[name]
    image, _ = drawn(case)
    notch = case.hidden & disc_mask(*case.shape, *case.disc)
    assert (find_retina(image).mask & notch).sum() < 0.4 * notch.sum()


@pytest.mark.parametrize("name", ["dark retina at the rim", "eyelid", "lit from one side"])
def test_dark_retina_is_not_taken_for_a_notch(name):
    image, truth = drawn(CASES[name])
    assert (truth & ~find_retina(image).mask).sum() < 0.015 * truth.sum()


@pytest.mark.parametrize(
    "look", [Look(), Look(vignette=0.8), Look(color=(120, 120, 120)), Look(color=(30, 15, 8), noise=1)]
)
def test_retina_that_fills_the_frame(look):
    image, _ = draw_fundus(240, 300, (150, 120, 300), look)
    found = find_retina(image)
    assert found.mask.all()
    assert found.disc.radius == pytest.approx(np.hypot(240, 300) / 2, rel=0.01)
    assert (found.disc.center_x, found.disc.center_y) == pytest.approx((149.5, 119.5), abs=1)


def test_close_view_of_the_optic_disc_fills_the_frame():
    rows, columns = np.mgrid[:300, :300]
    edge = 1 / (1 + np.exp((np.hypot(rows - 150, columns - 150) - 70) / 4))
    image = (np.array([170, 90, 45]) + edge[:, :, None] * np.array([70, 110, 90])).astype(np.uint8)
    assert find_retina(image).mask.all()


def test_field_that_is_no_disc_is_kept_whole():
    field = np.zeros((300, 420), np.uint8)
    cv2.ellipse(field, (210, 150), (190, 120), 0, 0, 360, 1, -1)
    image, _ = draw_fundus(300, 420, (210, 150, 240), Look(color=(90, 140, 8)))
    image[field == 0] = 3
    found = find_retina(image)
    assert overlap(found.mask, field > 0) > 0.97
    assert found.disc.radius == pytest.approx(190, rel=0.03)


def test_same_image_gives_the_same_retina():
    image, _ = drawn(CASES["dim with a noisy margin"])
    first, second = find_retina(image), find_retina(image)
    assert first.disc == second.disc
    np.testing.assert_array_equal(first.mask, second.mask)


def test_image_is_not_changed():
    image, _ = drawn(CASES["white margin"])
    before = image.copy()
    find_retina(image)
    np.testing.assert_array_equal(image, before)


def page(paper, ink):
    image = np.full((450, 325, 3), paper, np.uint8)
    for line in range(25):
        cv2.putText(image, "The quick brown fox jumps", (20, 30 + 16 * line), 0, 0.4, ink, 1, cv2.LINE_AA)
    return image


def landscape():
    rows, columns = np.mgrid[:300, :400]
    image = np.array([90, 150, 230]) * (1 - 0.3 * rows / 300)[:, :, None]
    ground = rows > 150 + 30 * np.sin(columns / 65) + 15 * np.sin(columns / 23)
    texture = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 1, rows.shape), (0, 0), 2) * 100
    image[ground] = np.array([70, 110, 40]) + texture[ground][:, None]
    cv2.circle(image, (325, 45), 20, (255, 250, 200), -1)
    return np.clip(image, 0, 255).astype(np.uint8)


def noise(low, high, shape=(300, 300, 3)):
    return np.random.default_rng(0).integers(low, high, shape, dtype=np.uint8)


REFUSED = {
    "black": (np.zeros((200, 300, 3), np.uint8), "black .99 % of it is at most 0 of 255"),
    "a dark frame": (noise(0, 9), "black"),
    "grey": (np.full((200, 300, 3), 128, np.uint8), "uniform .grey level 128 of 255"),
    "white": (np.full((200, 300, 3), 255, np.uint8), "uniform .grey level 255 of 255"),
    "white noise": (noise(0, 256), "noise"),
    "small white noise": (noise(0, 256, (64, 64, 3)), "noise"),
    "large white noise": (noise(0, 256, (1200, 1100, 3)), "noise"),
    "dim noise": (noise(0, 40), "noise"),
    "page": (page((255, 255, 255), (0, 0, 0)), "as in a page or drawing"),
    "coloured paper": (
        page((255, 245, 225), (60, 40, 40)),
        r"\d\d% of it is white or has one pale colour, as in",
    ),
    "dark page": (page((0, 0, 0), (255, 255, 255)), r"largest bright region fills 0\.\d% of the image"),
    "landscape": (landscape(), r"no disc and \d\d% of it is blue, green or white"),
    "1x1": (
        np.zeros((1, 1, 3), np.uint8),
        r"1x1 pixels .width x height.; expected at least 32 pixels a side",
    ),
    "31 rows": (np.full((31, 200, 3), 90, np.uint8), "200x31 pixels"),
    "ribbon": (np.full((40, 4000, 3), 90, np.uint8), "4000x40 pixels .* no side 16 times the other"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_what_cannot_be_a_retina(name):
    image, text = REFUSED[name]
    with pytest.raises(NoRetinaError, match=text):
        find_retina(image)


@pytest.mark.parametrize(
    "image",
    [np.zeros((50, 50), np.uint8), np.zeros((50, 50, 4), np.uint8), np.zeros((50, 50, 3), np.float32)],
)
def test_other_arrays_are_named(image):
    with pytest.raises(ImageError, match=r"got an array \(50, 50.*expected \(height, width, 3\) uint8 RGB"):
        find_retina(image)


def drive_pairs(drive):
    for path in sorted(drive.glob("*/images/*.tif")):
        (mask,) = path.parents[1].glob(f"mask/{path.name[:2]}_*.gif")
        yield read_image(path).pixels, read_image(mask).as_rgb8()[:, :, 0] > 127


def test_drive_fields_of_view(drive):
    scores = [overlap(find_retina(image).mask, fov) for image, fov in drive_pairs(drive)]
    assert len(scores) == 40
    assert min(scores) >= 0.97
    assert np.mean(scores) >= 0.98


def rimmed(image):
    retina = find_retina(image)
    return with_rim(retina, square_crop(retina.disc, retina.mask.shape, 512))


def test_the_rim_belongs_to_the_drive_fields_of_view(drive):
    scores = [overlap(rimmed(image), fov) for image, fov in drive_pairs(drive)]
    assert min(scores) >= 0.98
    assert np.mean(scores) >= 0.99


@pytest.mark.parametrize(
    "change",
    [
        lambda image, fov: ((image * 0.1).astype(np.uint8), fov),
        lambda image, fov: (np.clip(image * 1.7 + 10, 0, 255).astype(np.uint8), fov),
        lambda image, fov: (np.repeat(image[:, :, 1:2], 3, axis=2), fov),
        lambda image, fov: (image[80:500], fov[80:500]),
        lambda image, fov: (image[80:510, 70:490], fov[80:510, 70:490]),
        lambda image, fov: (image[:, 120:], fov[:, 120:]),
        lambda image, fov: (image[140:450, 120:430], fov[140:450, 120:430]),
    ],
    ids=["dark", "bright", "green", "cut on two sides", "cut on four sides", "cut on one side", "no margin"],
)
def test_changed_drive_images(drive, change):
    for image, fov in list(drive_pairs(drive))[::8]:
        changed, expected = change(image, fov)
        assert overlap(find_retina(changed).mask, expected) >= 0.97


def test_margin_does_not_change_the_scale(drive):
    for image, _ in list(drive_pairs(drive))[::8]:
        whole = find_retina(image).disc
        cut = find_retina(image[80:510, 70:490]).disc
        shifted = replace(cut, center_x=cut.center_x + 70, center_y=cut.center_y + 80)
        assert shifted.radius == pytest.approx(whole.radius, rel=0.01)
        assert shifted.center_x == pytest.approx(whole.center_x, abs=2)
        assert shifted.center_y == pytest.approx(whole.center_y, abs=2)
