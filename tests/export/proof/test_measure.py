import numpy as np
import pytest
from drawn_retina import drawn_retina
from tiny_model import tiny_spec

from retinagan.export.proof.agreement import ParityError
from retinagan.export.proof.images import ProofImage
from retinagan.export.proof.measure import measure, prepared, probability_map, record_of
from retinagan.runtime import Segmenter
from retinagan.runtime.engines import EngineAdapter, OnnxRuntimeAdapter
from retinagan.runtime.errors import ImageError
from retinagan.runtime.model.spec import ModelSpec, spec_path

SPEC = tiny_spec()


class Green(EngineAdapter):
    """Takes the green channel for the probability, times a factor."""

    def __init__(self, factor):
        self._factor = np.float32(factor)
        super().__init__(SPEC, f"green times {factor}")

    def _run(self, image, roi, out):
        np.copyto(out, np.clip(image[:, 1:2] * 0.25 + 0.5, 0, 1) * self._factor)

    def _close(self):
        pass


@pytest.fixture
def image():
    pixels, lines = drawn_retina()
    fov = np.zeros(lines.shape, bool)
    fov[60:120, 70:130] = True
    return ProofImage("drawn", pixels, lines, fov)


def test_a_map_is_what_the_segmenter_gives(tiny, image):
    spec = ModelSpec.load(spec_path(tiny))
    with OnnxRuntimeAdapter(tiny, spec, threads=1) as adapter:
        found = probability_map(adapter, prepared(image, spec), spec)
    with Segmenter(tiny, engine="onnxruntime", threads=1) as segmenter:
        np.testing.assert_array_equal(found, segmenter(image.pixels).probability)


def test_all_candidates_are_measured_in_one_pass_inside_the_fov(image):
    (same, darker), _ = measure([image], SPEC, Green(1), [Green(1), Green(0.5)])
    assert (same.agreement.largest, same.agreement.pixels) == (0.0, 3600)
    expected = probability_map(Green(1), prepared(image, SPEC), SPEC)[image.fov]
    assert darker.agreement.largest == pytest.approx(expected.max() / 2)
    assert darker.agreement.mean == pytest.approx(expected.mean() / 2, rel=1e-5)


def test_without_an_fov_the_retina_counts(image):
    plain = ProofImage("drawn", image.pixels)
    (found,), truth = measure([plain], SPEC, Green(1), [Green(1)])
    assert found.agreement.pixels == prepared(plain, SPEC).retina.mask.sum()
    assert found.truth is None
    assert truth is None
    assert "scores" not in record_of(found, 0.5, truth)


def test_a_known_map_stands_for_the_reference(image):
    expected = probability_map(Green(1), prepared(image, SPEC), SPEC)
    known = ProofImage("drawn", image.pixels, expected=expected)
    (found,), _ = measure([known], SPEC, None, [Green(1)])
    assert found.agreement.largest == 0.0


def test_scores_against_truth_are_of_both(image):
    dark = ProofImage(
        "drawn", image.pixels, ~image.truth, image.fov
    )  # lines are dark: truth is what is bright
    (found,), truth = measure([dark, dark], SPEC, Green(1), [Green(0.5)])
    record = record_of(found, 0.25, truth)
    assert record["images"] == 2
    assert record["scores"]["auc"] == pytest.approx(record["reference_scores"]["auc"], abs=1e-3)
    assert record["scores"]["dice"] == pytest.approx(record["reference_scores"]["dice"], abs=0.01)
    assert 0 < record["map_dice"] <= 1


def test_a_rate_without_pixels_is_none(image):
    empty = ProofImage("drawn", image.pixels, np.zeros_like(image.truth), image.fov)
    (found,), truth = measure([empty], SPEC, Green(1), [Green(1)])
    scores = record_of(found, 0.5, truth)["scores"]
    assert (scores["auc"], scores["sen"]) == (None, None)
    assert 0 <= scores["spe"] <= 1


def test_nan_is_refused_and_named(image):
    with pytest.raises(ParityError, match="green times nan returns NaN or infinity"):
        measure([image], SPEC, Green(1), [Green(np.nan)])


def test_an_image_without_retina_is_named():
    black = ProofImage("black", np.zeros((100, 100, 3), np.uint8))
    with pytest.raises(ImageError, match=r"^black: the image is black"):
        measure([black], SPEC, Green(1), [Green(1)])
