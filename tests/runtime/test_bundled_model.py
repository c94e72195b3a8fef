"""The bundled model, as it ships, on the example images."""

import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_fundus import EXAMPLES, render

from retinagan.runtime import Segmenter
from retinagan.runtime.bundled import bundled_model
from retinagan.runtime.patches import PatchGrid
from retinagan.runtime.prepare import prepare
from retinagan.runtime.reading import read_image
from retinagan.runtime.seams import border_ratio
from retinagan.runtime.spec import ModelSpec, Tiling, spec_path

IMAGES = Path(__file__).parents[2] / "examples" / "images"


@pytest.fixture(scope="module")
def segmenter():
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # its spec lies beside it: nothing to warn of
        with Segmenter(threads=2) as segmenter:
            yield segmenter


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_the_vessels_of_the_examples_are_found(segmenter, name):
    result = segmenter(read_image(IMAGES / name))
    truth = render(EXAMPLES[name]).vessels
    both = np.count_nonzero(result.vessels & truth)
    assert 2 * both / (np.count_nonzero(result.vessels) + np.count_nonzero(truth)) > 0.8  # Dice
    # Between the vessels hardly anything is taken for one.
    assert result.vessels[~truth & result.roi].mean() < 0.04


def border_difference(folder, overlap):
    """Seams at the paper's patches of 128 pixels, on the map at working size."""
    path = Path(shutil.copy(bundled_model(), folder))
    spec = ModelSpec.load(spec_path(bundled_model()))
    replace(spec, tiling=Tiling(patch=128, overlap=overlap)).save(spec_path(path))
    frame = read_image(IMAGES / "right_eye.jpg")
    prepared = prepare(frame, spec.preprocessing)
    with Segmenter(path, threads=2) as segmenter:
        square = prepared.crop.cut(segmenter(frame).probability)
    return border_ratio(square, PatchGrid(spec.preprocessing.working_size, 128), prepared.roi)


def test_patches_of_128_leave_seams_and_overlap_takes_them_away(tmp_path):
    blended = border_difference(tmp_path, overlap=0.5)
    assert 0.9 < blended < 1.1
    assert border_difference(tmp_path, overlap=0.0) > blended + 0.04


def test_as_it_ships_one_patch_holds_the_whole_retina(segmenter):
    assert segmenter.spec.tiling == Tiling(patch=segmenter.spec.preprocessing.working_size, overlap=0.0)


def test_the_spec_says_what_it_was_trained_on_and_under_which_terms(segmenter):
    training = segmenter.spec.training
    assert training["data"] == "DRIVE"
    assert "research and education" in training["terms"]
    assert training["command"].startswith("retina-train --data")
    assert len(training["training_images"]) == 20
