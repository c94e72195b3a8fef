import sys

import numpy as np
import pytest

from retinagan.runtime.errors import OptionError
from retinagan.runtime.measures.skeleton import PixelGraph, require_skeletonize, skeletonize


def test_without_scikit_image_the_error_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.morphology", None)
    with pytest.raises(OptionError, match=r'pip install "retinagan\[measure\]"'):
        require_skeletonize()


def test_a_bar_thins_to_a_line():
    pytest.importorskip("skimage")
    bar = np.zeros((20, 40), bool)
    bar[8:13, 5:35] = True
    skeleton = skeletonize(bar)
    y, x = np.nonzero(skeleton)
    assert set(y) <= {9, 10, 11}
    assert len(x) == len(set(x))
    assert not (skeleton & ~bar).any()


def test_an_empty_map_has_an_empty_skeleton():
    pytest.importorskip("skimage")
    assert not skeletonize(np.zeros((7, 9), bool)).any()


def test_a_right_angled_step_has_no_branches():
    graph = PixelGraph.of(np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]], bool))
    assert sorted(graph.degrees().tolist()) == [1, 1, 2, 2, 2, 2]


def test_pixels_at_opposite_borders_are_no_neighbours():
    graph = PixelGraph.of(np.array([[0, 0, 1], [1, 0, 0], [0, 0, 1]], bool))
    assert graph.degrees().tolist() == [0, 0, 0]
