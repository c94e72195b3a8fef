from pathlib import Path

import cv2
import numpy as np
import pytest
from canon_eye import canon_eye

from retinagan.runtime.retina.find import find_retina
from retinagan.runtime.steps.picture import picture_of
from retinagan.runtime.warnings import ImageWarning
from retinagan.train.data.description import DataError
from retinagan.train.data.pictures import checked_picture, say_doubts

PATH = Path("images/eye.webp")


@pytest.fixture(scope="module")
def eye():
    return canon_eye().image


def checked(image):
    return [warning.code for warning in checked_picture(PATH, picture_of(image, find_retina(image)))]


def test_a_scrambled_picture_is_refused_with_its_file(eye):
    image = eye.copy()
    image[300:] = np.random.default_rng(0).integers(0, 256, image[300:].shape)
    with pytest.raises(DataError) as caught:
        checked(image)
    assert str(caught.value) == (
        f"{PATH}: colours change from pixel to pixel, as where the data of the picture are damaged; "
        "replace the file, or leave it and its map out"
    )


def test_other_doubts_are_warnings(eye):
    image = eye.copy()
    cv2.putText(image, "OD", (150, 300), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (255, 255, 255), 2)
    assert checked(image) == ["writing-on-retina"]
    assert checked(np.hstack([eye, eye])) == ["several-fields-of-view"]
    assert checked(eye) == []


def test_pictures_that_were_filtered_before_may_be_learned_from(eye):
    green = cv2.createCLAHE(4, (8, 8)).apply(eye[..., 1])
    assert checked(np.repeat(green[..., None], 3, axis=2)) == []


def test_doubts_are_said_once(capsys):
    for _ in range(2):
        say_doubts(PATH, [ImageWarning("bit-depth-guessed", "12 bits")])
    say_doubts(Path("images/eye2.webp"), [])
    assert capsys.readouterr().err == f"warning: {PATH}: bit-depth-guessed: 12 bits\n"
