from dataclasses import replace

import numpy as np
import pytest
from seams import border_ratio
from tiny_model import tiny_spec

from retinagan.export.tensorrt.export import default_batch
from retinagan.export.tensorrt.tiling import OVERLAP, covered, engine_tiling, usual_sizes
from retinagan.runtime.model.parameters import Preprocessing, Tiling
from retinagan.runtime.model.spec import ModelSpec
from retinagan.runtime.steps.patches import PatchGrid


def scaled(density: float, patch: int | None = None) -> ModelSpec:
    return tiny_spec(preprocessing=Preprocessing(pixels_per_degree=density), tiling=Tiling(patch))


def test_a_models_own_patches_are_kept():
    assert engine_tiling(scaled(18.0, 128)) == Tiling(128)


def test_the_squares_of_the_usual_cameras():
    assert usual_sizes(Preprocessing(pixels_per_degree=18.0)) == [544, 640, 832, 928, 1088]
    assert usual_sizes(Preprocessing(working_size=608)) == [608]


@pytest.mark.parametrize("density", [12.0, 15.0, 18.0, 20.0, 25.0])
def test_whole_squares_become_the_patches_that_waste_least(density):
    spec = scaled(density)
    chosen = engine_tiling(spec)
    assert 256 <= chosen.patch <= 512
    assert round(chosen.overlap * chosen.patch) == OVERLAP
    cost = {
        side: sum(covered(size, Tiling(side, OVERLAP / side)) for size in usual_sizes(spec.preprocessing))
        for side in range(256, 513, 32)
    }
    assert chosen.patch == min(cost, key=cost.get)
    replace(spec, tiling=chosen)  # a spec that is valid


def test_a_patch_that_holds_every_square_is_taken_whole():
    small = tiny_spec(preprocessing=Preprocessing(working_size=416), tiling=Tiling(None))
    assert engine_tiling(small) == Tiling(416)
    assert covered(416, Tiling(416)) == 1


def test_the_batch_holds_the_largest_of_the_usual_squares_where_the_runtime_gives_so_many():
    spec = scaled(18.0, 64)
    least, usual, most = default_batch(spec)
    assert (least, usual, most) == (1, 64, 64)
    assert default_batch(replace(spec, tiling=Tiling(256, 0.125))) == (1, 4, 4)


def test_overlap_leaves_no_seam_in_a_map_that_is_wrong_at_its_patches_borders():
    """A network knows least at a patch's border: here its answer is off by a tenth on the last pixels."""
    tiling = engine_tiling(scaled(18.0))
    grid = PatchGrid.of(832, tiling)
    smooth = np.random.default_rng(0).random((832, 832), np.float32)
    bent = grid.split(smooth)
    for border in (np.s_[:, :4], np.s_[:, -4:], np.s_[:, :, :4], np.s_[:, :, -4:]):
        bent[border] += np.float32(0.1)
    apart = PatchGrid(832, 416)
    off = apart.split(smooth)
    off[:, :4] += np.float32(0.1)
    assert abs(border_ratio(grid.regroup(bent), grid) - 1) < 0.05
    assert border_ratio(apart.regroup(off), apart) > 1.005
