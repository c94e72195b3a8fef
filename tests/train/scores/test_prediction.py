from dataclasses import replace

import cv2
import numpy as np
import pytest
from drawn_retina import drawn_retina
from seams import border_ratio
from small_checkpoint import small_generator, write_checkpoint
from tiny_model import tiny_spec, write_tiny_model

from retinagan.runtime.errors import ModelError, OptionError
from retinagan.runtime.model.parameters import Preprocessing, Tiling
from retinagan.runtime.segmenter import Segmenter
from retinagan.runtime.steps.patches import PatchGrid
from retinagan.runtime.steps.prepare import prepare
from retinagan.runtime.steps.threshold import Thresholding
from retinagan.train.data.images import LabelledImage
from retinagan.train.nets.checkpoint import load_checkpoint
from retinagan.train.scores.prediction import open_predictor, probability_map, read_map


def labelled(name="21_test"):
    image, lines = drawn_retina(100, 96)
    return LabelledImage(name, image, lines, image.max(axis=2) > 0, None)


def test_a_checkpoint_predicts_at_native_size_inside_the_retina(tmp_path):
    path = write_checkpoint(tmp_path / "a.pt", small_generator())
    predictor = open_predictor(path)
    probability = predictor.predict(labelled())
    assert probability.shape == (100, 96)
    assert probability.dtype == np.float32
    assert not probability[0].any(), "outside the retina"
    assert 0.0 < probability.max() <= 1.0
    assert predictor.thresholding == Thresholding(0.4)
    assert predictor.description.startswith(f"{path}, torch ")


def test_predictions_of_overlapping_patches_are_blended(tmp_path):
    checkpoint = load_checkpoint(write_checkpoint(tmp_path / "a.pt", small_generator()))
    frame, options = labelled().image, checkpoint.preprocessing
    prepared = prepare(frame, options)
    ratios = {}
    for overlap in (0.0, 0.75):
        tiled = replace(checkpoint, tiling=Tiling(32, overlap))
        square = prepared.crop.cut(probability_map(tiled, frame))
        ratios[overlap] = border_ratio(square, PatchGrid(options.working_size, 32), prepared.roi)
    assert ratios[0.75] < ratios[0.0]


def test_a_model_file_predicts_as_the_segmenter_does(tmp_path):
    path = write_tiny_model(tmp_path)
    with Segmenter(path, threads=1) as segmenter:
        expected = segmenter(labelled().image).probability
    predictor = open_predictor(path, threads=1)
    with predictor.resources:
        np.testing.assert_array_equal(predictor.predict(labelled()), expected)
    assert predictor.thresholding == Thresholding(0.5)


def test_a_model_predicts_at_a_lower_density_by_the_engine_asked_for(tmp_path):
    before = Preprocessing("none", 5.0, pixels_per_degree=3.0)
    path = write_tiny_model(tmp_path, tiny_spec(preprocessing=before, tiling=Tiling(None)))
    with Segmenter(path, threads=1, engine="onnxruntime", device="cpu", pixels_per_degree=2) as segmenter:
        expected = segmenter(labelled().image).probability
        description = f"{path}, {segmenter.engine}, 2 pixels per degree"
    predictor = open_predictor(path, 1, device="cpu", engine="onnxruntime", pixels_per_degree=2)
    with predictor.resources:
        np.testing.assert_array_equal(predictor.predict(labelled()), expected)
    assert predictor.description == description
    assert predictor.preprocessing == replace(before, pixels_per_degree=2.0)


def test_a_checkpoint_predicts_at_a_lower_density(tmp_path):
    before = Preprocessing("none", 5.0, pixels_per_degree=3.0)
    path = write_checkpoint(tmp_path / "a.pt", small_generator(), preprocessing=before, tiling=Tiling(None))
    lower = replace(load_checkpoint(path), preprocessing=replace(before, pixels_per_degree=2.0))
    predictor = open_predictor(path, pixels_per_degree=2)
    np.testing.assert_array_equal(predictor.predict(labelled()), probability_map(lower, labelled().image))
    assert predictor.description.startswith(f"{path}, 2 pixels per degree, torch ")


def test_options_that_a_source_does_not_take(tmp_path):
    path = write_checkpoint(tmp_path / "a.pt", small_generator())
    with pytest.raises(OptionError, match=r"--engine openvino has no effect on checkpoint .*a\.pt, which"):
        open_predictor(path, engine="openvino")
    with pytest.raises(OptionError, match=r"got 13, but model a has a fixed working size of 64 pixels"):
        open_predictor(path, pixels_per_degree=13)
    with pytest.raises(OptionError, match=r"--pixels-per-degree 13 has no effect on maps in .*: leave it"):
        open_predictor(tmp_path, pixels_per_degree=13)


@pytest.mark.parametrize("name", ["21_test_probability.png", "21_test.png", "21_test.tif"])
def test_maps_are_found_by_the_names_of_retina_run_and_plain_ones(tmp_path, name):
    stored = np.random.default_rng(0).integers(0, 65536, (100, 96), np.uint16)
    cv2.imwrite(str(tmp_path / name), stored)
    np.testing.assert_allclose(read_map(tmp_path, labelled()), stored / 65535, atol=1e-7)


def test_a_name_with_brackets_is_no_pattern(tmp_path):
    image = labelled("eye[1]")
    cv2.imwrite(str(tmp_path / "eye1.png"), np.zeros((100, 96), np.uint8))
    with pytest.raises(ModelError, match=r"no map of eye\[1\]"):
        read_map(tmp_path, image)
    cv2.imwrite(str(tmp_path / "eye[1].png"), np.full((100, 96), 255, np.uint8))
    assert read_map(tmp_path, image).min() == 1.0


def test_probabilities_go_before_vessels(tmp_path):
    cv2.imwrite(str(tmp_path / "21_test_vessels.png"), np.full((100, 96), 255, np.uint8))
    assert read_map(tmp_path, labelled()).min() == 1.0
    cv2.imwrite(str(tmp_path / "21_test_probability.png"), np.zeros((100, 96), np.uint16))
    assert open_predictor(tmp_path).predict(labelled()).max() == 0.0


def test_a_missing_map_names_what_was_expected(tmp_path):
    with pytest.raises(
        ModelError, match="no map of 21_test; expected one of 21_test_probability, 21_test_vessels"
    ):
        read_map(tmp_path, labelled())


def test_a_map_of_another_size_is_named(tmp_path):
    cv2.imwrite(str(tmp_path / "21_test.png"), np.zeros((50, 40), np.uint8))
    with pytest.raises(ModelError, match=r"21_test\.png: 40x50 pixels, but 21_test has 96x100"):
        read_map(tmp_path, labelled())


def test_a_broken_map_is_named(tmp_path):
    (tmp_path / "21_test.png").write_bytes(b"no picture")
    with pytest.raises(ModelError, match=r"21_test\.png: not an image"):
        read_map(tmp_path, labelled())


def test_an_unknown_model_is_named(tmp_path):
    with pytest.raises(ModelError, match="nothing"):
        open_predictor(tmp_path / "nothing.onnx")
