import cv2
import numpy as np
import pytest
from canon_eye import canon_eye
from drawn_retina import drawn_retina

from retinagan.runtime.model.parameters import Confidence, Preprocessing
from retinagan.runtime.retina.find import find_retina
from retinagan.runtime.steps.confidence import shape_of
from retinagan.runtime.steps.doubt import VesselMap, doubt
from retinagan.runtime.steps.levels import level_counts
from retinagan.runtime.steps.prepare import prepare
from retinagan.runtime.steps.threshold import Thresholding

PREPROCESSING = Preprocessing("none", 5.0, 64)


@pytest.fixture(scope="module")
def prepared():
    return prepare(drawn_retina()[0], PREPROCESSING)


def map_of(prepared, share, probability=0.9):
    """A map in which this share of the retina has this probability, and the rest 0."""
    values = np.zeros(prepared.retina.mask.shape, np.float32)
    inside = np.flatnonzero(prepared.retina.mask)
    values.ravel()[inside[: round(share * len(inside))]] = probability
    return values


def doubt_of(probability, prepared, threshold=0.5, calibration=None):
    """Judge a map of a prepared image."""
    roi = prepared.retina.mask
    found = VesselMap(probability, roi, level_counts(probability, roi), threshold)
    return doubt(found, prepared, Thresholding(threshold), calibration)


def judged(prepared, share, probability=0.9, calibration=None):
    """Judge the map of `map_of`."""
    return doubt_of(map_of(prepared, share, probability), prepared, 0.5, calibration)


def codes(doubt):
    return codes_of(doubt.warnings)


def codes_of(warnings):
    return [warning.code for warning in warnings]


@pytest.mark.parametrize("share", [0.03, 0.12, 0.28])
def test_a_plausible_map_is_not_doubted(prepared, share):
    assert judged(prepared, share).warnings == ()


@pytest.mark.parametrize(("share", "found"), [(0.0, "0.0%"), (0.01, "1.0%"), (0.4, "40.0%")])
def test_an_implausible_density_is_named(prepared, share, found):
    warning, *others = judged(prepared, share).warnings
    assert codes_of(others) == (["low-confidence"] if share == 0 else [])
    assert warning.code == "density-implausible"
    assert warning.message == f"{found} of the retina is vessel; fundus images have 2% to 30%"


def test_a_model_without_calibration_has_the_expected_dice_and_a_bound_of_its_own(prepared):
    sure = map_of(prepared, 0.1, 0.7)
    unsure = np.maximum(sure, map_of(prepared, 0.2, 0.4))  # 10 % of the retina with 0.7, 10 % with 0.4
    for values, dice, warned in ((sure, 2 * 0.7 / 1.7, []), (unsure, 2 * 0.7 / 2.1, [])):
        found = doubt_of(values, prepared)
        assert found.confidence == pytest.approx(dice, abs=0.01)
        assert codes(found) == warned
    doubted = doubt_of(np.maximum(sure, map_of(prepared, 0.3, 0.4)), prepared)
    (warning,) = doubted.warnings
    text = "the expected Dice is 0.56; maps of photographs usually have 0.65 or more"
    assert str(warning) == f"low-confidence: {text}"


def test_low_confidence_is_said_below_the_bound_alone(prepared):
    confidence = judged(prepared, 0.1).confidence
    above = judged(prepared, 0.1, calibration=Confidence(bound=confidence - 0.001))
    assert (above.confidence, above.warnings) == (confidence, ())
    (warning,) = judged(prepared, 0.1, calibration=Confidence(bound=confidence + 0.001)).warnings
    assert warning.code == "low-confidence"
    assert warning.message.startswith(f"the expected Dice is {confidence:.2f}; ")


def test_the_shape_of_the_vessels_counts_where_the_calibration_says_so(prepared):
    plain = judged(prepared, 0.1).confidence
    shape = shape_of(map_of(prepared, 0.1), prepared.retina.mask, 0.5, prepared.retina.disc)
    calibration = Confidence(distance=-0.05, thin=0.01)
    expected = plain - 0.05 * shape.distance + 0.01 * shape.thin
    assert judged(prepared, 0.1, calibration=calibration).confidence == pytest.approx(expected)
    assert expected != pytest.approx(plain, abs=0.001)


def test_of_the_confidence_a_users_threshold_keeps_what_it_does_of_the_expected_dice(prepared):
    values = np.maximum(map_of(prepared, 0.1, 0.7), map_of(prepared, 0.2, 0.3))  # half of 20 % has 0.3
    own = doubt_of(values, prepared)
    roi, calibration = prepared.retina.mask, Confidence(slope=3.0, gain=1.5, bias=-0.3)
    counts = level_counts(values, roi)

    def confidence(given, calibration=None):
        found = VesselMap(values, roi, counts, given)
        return doubt(found, prepared, Thresholding(0.5, given=given), calibration).confidence

    assert own.confidence == pytest.approx(2 * 0.7 / 2.0, abs=0.01)
    assert confidence(0.5) == own.confidence
    assert confidence(0.2) == pytest.approx(2 * 0.1 / 0.3, abs=0.01)
    assert confidence(0.9) == 0, "no vessels"
    at_model = doubt_of(values, prepared, calibration=calibration).confidence
    everything = confidence(0.0)
    assert everything == pytest.approx(2 * 0.1 / 1.1, abs=0.01)
    assert confidence(0.0, calibration) == pytest.approx(at_model * everything / own.confidence)


@pytest.fixture(scope="module")
def eye():
    return canon_eye().image


def test_a_retina_of_which_the_picture_lacks_a_part_is_named(eye):
    image = eye.copy()
    image[400:] = image[399]  # as decoders repeat the last line
    found = judged(prepare(image, Preprocessing("none", 5.0, 304)), 0.1)
    assert codes(found) == ["retina-incomplete"]


@pytest.mark.parametrize("level", [0, 255])
def test_a_bar_that_cuts_the_retina_in_two_is_named_once(eye, level):
    image = eye.copy()
    image[330:380] = level
    warned = codes(judged(prepare(image, Preprocessing("none", 5.0, 304)), 0.1))
    assert warned in (["retina-incomplete"], ["whole-frame-as-retina"])


def test_a_negative_is_named_whatever_the_map(eye):
    roi = find_retina(eye).mask[..., None]
    preprocessing = Preprocessing("none", 5.0, 304)
    negative = prepare(np.where(roi, 255 - eye, 0).astype(np.uint8), preprocessing)
    assert codes(judged(negative, 0.03)) == ["negative"]
    assert codes(judged(negative, 0.1)) == ["negative"]
    assert codes(judged(prepare(eye, preprocessing), 0.03)) == []


def test_a_faint_negative_is_named_where_few_vessels_were_found(eye, monkeypatch):
    prepared = prepare(eye, Preprocessing("none", 5.0, 304))
    monkeypatch.setattr("retinagan.runtime.steps.doubt.polarity", lambda small: -0.2)
    assert codes(judged(prepared, 0.03)) == ["negative"]
    assert codes(judged(prepared, 0.1)) == []


def test_a_picture_that_was_filtered_is_named(eye):
    green = cv2.createCLAHE(4, (8, 8)).apply(eye[..., 1])
    equalized = prepare(np.repeat(green[..., None], 3, axis=2), Preprocessing("none", 5.0, 304))
    assert codes(judged(equalized, 0.1)) == ["preprocessed"]


def test_a_picture_of_which_a_part_is_scrambled_is_named(eye):
    image = eye.copy()
    image[300:] = np.random.default_rng(0).integers(0, 256, image[300:].shape)
    assert codes(judged(prepare(image, Preprocessing("none", 5.0, 304)), 0.1)) == ["scrambled"]


def test_writing_is_named_unless_the_frame_is_small(eye):
    image = eye.copy()
    cv2.putText(image, "OD", (150, 300), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (255, 255, 255), 2)
    preprocessing = Preprocessing("none", 5.0, 608)
    assert codes(judged(prepare(image, preprocessing), 0.1)) == ["writing-on-retina"]
    small = cv2.resize(image, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    assert codes(judged(prepare(small, preprocessing), 0.1)) == []


def test_the_retinas_own_warnings_are_kept():
    image = drawn_retina()[0]
    several = prepare(np.hstack([image, image]), PREPROCESSING)
    assert [warning.code for warning in judged(several, 0.1).warnings] == ["several-fields-of-view"]
