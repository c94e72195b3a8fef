"""The bundled model, as it ships, on the example images."""

import shutil
import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from seams import border_ratio
from synthetic_fundus import EXAMPLES, render

from retinagan.runtime import Segmenter
from retinagan.runtime.images.reading import read_image
from retinagan.runtime.model.bundled import bundled_model, bundled_models
from retinagan.runtime.model.parameters import Tiling
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.steps.patches import PatchGrid
from retinagan.runtime.steps.prepare import prepare

PAPERS = "retina-gan-drive"
"""The model of the paper's protocol, whose working square is of one size."""

LEARNED_FROM = {
    "retina-gan": ("CHASE_DB1, HRF, FIVES", "CC BY 4.0", 63),
    "retina-gan-small": ("CHASE_DB1, HRF, FIVES", "CC BY 4.0", 63),
    "retina-gan-research": ("CHASE_DB1, HRF, FIVES, DRIVE", "research and education only", 83),
    "retina-gan-drive": ("DRIVE", "research and education", 20),
}
"""Datasets, terms and number of training images by model."""

IMAGES = Path(__file__).parents[2] / "examples" / "images"


@pytest.fixture(scope="module", params=bundled_models())
def segmenter(request):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # its spec lies beside it: nothing to warn of
        with Segmenter(request.param, threads=2) as segmenter:
            yield segmenter


@cache
def vessels(name):
    """The vessels that an example was drawn with, for all models."""
    return render(EXAMPLES[name]).vessels


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_the_vessels_of_the_examples_are_found(segmenter, name):
    result = segmenter(read_image(IMAGES / name))
    truth = vessels(name)
    both = np.count_nonzero(result.vessels & truth)
    assert 2 * both / (np.count_nonzero(result.vessels) + np.count_nonzero(truth)) > 0.8  # Dice
    # Between the vessels hardly anything is taken for one.
    assert result.vessels[~truth & result.roi].mean() < 0.04


@pytest.fixture(scope="module")
def map_at_working_size(tmp_path_factory):
    """A function that gives the map of an example by patches of a side, its ROI and the patches' grid."""

    @cache
    def computed(patch, overlap):
        path = Path(shutil.copy(bundled_model(PAPERS), tmp_path_factory.mktemp("model")))
        spec = ModelSpec.load(spec_path(bundled_model(PAPERS)))
        replace(spec, tiling=Tiling(patch=patch, overlap=overlap)).save(spec_path(path))
        frame = read_image(IMAGES / "right_eye.jpg").pixels
        prepared = prepare(frame, spec.preprocessing)
        with Segmenter(path, threads=2) as segmenter:
            square = prepared.crop.cut(segmenter(frame).probability)
        return square, prepared.roi, PatchGrid(spec.preprocessing.working_size, patch)

    return computed


@pytest.fixture(scope="module")
def quarter():
    """The side of the paper's patches, of which sixteen make the square."""
    return ModelSpec.load(spec_path(bundled_model(PAPERS))).preprocessing.working_size // 4


@pytest.mark.parametrize(("overlap", "bound"), [(0.0, 1.25), (0.5, 1.1)])
def test_the_papers_sixteen_patches_leave_hardly_a_step_at_their_borders(
    map_at_working_size, quarter, overlap, bound
):
    square, roi, grid = map_at_working_size(quarter, overlap)
    assert 0.9 < border_ratio(square, grid, roi) < bound


def test_overlap_brings_the_borders_of_patches_nearer_to_the_map_of_one_patch(map_at_working_size, quarter):
    whole, roi, _ = map_at_working_size(4 * quarter, 0.0)
    border = np.zeros(roi.shape, bool)
    for line in (quarter, 2 * quarter, 3 * quarter):
        border[line - 2 : line + 2] = border[:, line - 2 : line + 2] = True
    apart, blended = (
        np.abs(map_at_working_size(quarter, overlap)[0] - whole)[border & roi].mean()
        for overlap in (0.0, 0.5)
    )
    assert blended < 0.2 * apart


def test_as_it_ships_one_patch_holds_the_whole_retina(segmenter):
    # a model that scales by the camera's angle has no one working size, and its patch is the whole square
    assert segmenter.spec.tiling == Tiling(patch=segmenter.spec.preprocessing.working_size, overlap=0.0)


def test_the_spec_says_what_it_was_trained_on_and_under_which_terms(segmenter):
    training = segmenter.spec.training
    data, terms, images = LEARNED_FROM[segmenter.spec.name]
    assert (training["data"], len(training["training_images"])) == (data, images)
    assert terms in training["terms"]
    assert training["command"].startswith("retina-train --data")
    assert all(dataset["citation"] for dataset in training["datasets"])
