from dataclasses import replace

import numpy as np
from drawn_retina import drawn_retina

from retinagan.export.graph.patches import noise_patches, patches_of
from retinagan.runtime.model.spec import ModelSpec, NetworkInput, Preprocessing, Tiling
from retinagan.runtime.steps.prepare import prepare

SPEC = ModelSpec(
    "small",
    "small.onnx",
    "fp32",
    0.5,
    preprocessing=Preprocessing("ace", 5.0, 128),
    network_input=NetworkInput((0.4, 0.5, 0.6), (0.2, 0.3, 0.4), 8),
    tiling=Tiling(16, 0.0),
)


def test_patches_are_what_the_spec_says():
    image, _ = drawn_retina(200, 200)
    patches = patches_of(image, SPEC)
    prepared = prepare(image, SPEC.preprocessing)
    assert patches.image.shape == (len(patches.roi), 3, 16, 16)
    assert 0 < len(patches.roi) < 64  # the square's corners are outside the retina
    assert patches.roi.any(axis=(1, 2, 3)).all()
    assert patches.roi.sum() == prepared.roi.sum()
    red = (prepared.image[..., 0][prepared.roi] / 255 - 0.4) / 0.2
    np.testing.assert_allclose(
        np.sort(patches.image[:, 0][patches.roi[:, 0] > 0]), np.sort(red), rtol=0, atol=1e-5
    )


def test_a_side_of_ones_own_is_cut_without_overlap():
    image, _ = drawn_retina(200, 200)
    overlapping = replace(SPEC, tiling=Tiling(32, 0.5))
    patches = patches_of(image, overlapping, side=16)
    np.testing.assert_array_equal(patches.image, patches_of(image, SPEC).image)


def test_noise_patches_fit_the_divisor_and_no_image():
    batches = list(noise_patches(16))
    assert {batch.image.shape[0] for batch in batches} == {1, 3}
    for batch in batches:
        count, _, height, width = batch.image.shape
        assert batch.roi.shape == (count, 1, height, width)
        assert height != width
        assert height % 16 == width % 16 == 0
        assert set(np.unique(batch.roi)) == {0.0, 1.0}
