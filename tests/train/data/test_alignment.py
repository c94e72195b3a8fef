import cv2
import numpy as np
import pytest
from canon_eye import canon_eye

from retinagan.runtime.retina.find import find_retina
from retinagan.train.data.alignment import alignment_fault, detail_of, rim_fault
from retinagan.train.data.files import find_samples
from retinagan.train.data.images import load_labelled

EYE = canon_eye()
OTHER = canon_eye(6)
RETINA = find_retina(EYE.image)
DETAIL = detail_of(EYE.image, RETINA)


def fault(drawn, image=EYE.image):
    return alignment_fault(detail_of(image, find_retina(image)), np.ascontiguousarray(drawn))


def changed(turn, scale):
    """Return the vessels turned about the retina's centre, in degrees, and scaled."""
    centre = (RETINA.disc.center_x, RETINA.disc.center_y)
    moved = cv2.getRotationMatrix2D(centre, turn, scale)
    drawn = EYE.vessels.astype(np.uint8)
    return cv2.warpAffine(drawn, moved, drawn.shape[::-1], flags=cv2.INTER_NEAREST) > 0


@pytest.mark.parametrize(("turn", "scale"), [(2, 1.0), (-2, 1.0), (0, 0.98)])
def test_vessels_that_fit_in_the_middle_alone_are_refused(turn, scale):
    assert rim_fault(DETAIL, EYE.vessels) == ""
    assert rim_fault(DETAIL, changed(turn, scale)) == (
        "what is drawn lies on the image's vessels in the middle, but beside them farther out: the map is "
        "turned by some degrees, of another scale, or coarse; register it to the image"
    )


def test_vessels_in_the_middle_alone_are_not_judged_by_the_rim():
    middle = EYE.vessels.copy()
    middle[:150] = middle[430:] = middle[:, :150] = middle[:, 430:] = False
    assert rim_fault(DETAIL, middle) == ""


def squared(image):
    """Cut an image to a square, which any turn keeps."""
    return np.ascontiguousarray(image[9:574])


def test_drawn_vessels_lie_on_those_of_their_image():
    assert fault(EYE.vessels) == ""
    assert fault(np.roll(EYE.vessels, 1, axis=1)) == "", "a pixel is within experts' care"


def test_vessels_may_be_bright():
    assert fault(EYE.vessels, np.where(RETINA.mask[..., None], 255 - EYE.image, 0).astype(np.uint8)) == ""


def test_those_of_another_image_do_not():
    assert fault(OTHER.vessels).startswith("what is drawn does not lie on the image's vessels: it is ")


@pytest.mark.parametrize(("rows", "columns"), [(0, 5), (5, 0), (0, 25), (25, 0), (60, 60)])
def test_nor_do_those_that_are_shifted(rows, columns):
    shifted = np.roll(EYE.vessels, (rows, columns), axis=(0, 1))
    assert fault(shifted).endswith("it may be another image's map, or shifted")


@pytest.mark.parametrize(
    ("turn", "back"),
    [
        (lambda drawn: np.rot90(drawn), "turned by 90 degrees clockwise"),
        (lambda drawn: np.rot90(drawn, 2), "turned by 180 degrees"),
        (lambda drawn: np.rot90(drawn, -1), "turned by 90 degrees counterclockwise"),
        (lambda drawn: drawn[:, ::-1], "mirrored left to right"),
        (lambda drawn: drawn[::-1], "mirrored top to bottom"),
        (lambda drawn: drawn.T, "mirrored along a diagonal"),
        (lambda drawn: np.rot90(drawn, 2).T, "mirrored along the other diagonal"),
    ],
)
def test_for_a_turned_map_it_is_said_how_to_turn_it_back(turn, back):
    drawn = turn(squared(EYE.vessels))
    assert fault(drawn, squared(EYE.image)) == (
        f"what is drawn lies on the image's vessels if it is {back}; turn the map like the image"
    )


def test_too_little_to_tell_is_no_fault():
    few = np.zeros_like(EYE.vessels)
    few[300, 200:260] = True
    assert fault(few) == ""


def test_no_map_of_a_real_dataset_is_refused(drive):
    samples = find_samples(drive, "all")
    assert len(samples) == 40
    for sample in samples:
        load_labelled(sample)
