import numpy as np
import pytest
import torch
from small_dataset import small_options, training_images, write_dataset

from retinagan.runtime.model.parameters import NetworkInput, Preprocessing
from retinagan.runtime.steps.equalize import equalize
from retinagan.train.data.colour_jitter import ColourJitter
from retinagan.train.data.files import find_samples
from retinagan.train.data.geometric_jitter import GeometricJitter
from retinagan.train.data.images import crop_for_training, load_labelled
from retinagan.train.loop.batches import Batches, regroup, split


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return training_images(tmp_path_factory.mktemp("data"))


def test_patches_have_the_form_that_the_generator_takes(images):
    batch = Batches(images, small_options(), NetworkInput()).patches(0)
    assert batch.image.shape == (4, 3, 32, 32)
    assert batch.roi.shape == batch.truth.shape == (4, 1, 32, 32)
    assert set(batch.roi.unique().tolist()) <= {0.0, 1.0}
    assert batch.image.min() >= -2.0
    assert batch.image.max() <= 2.0
    assert batch.truth.min() >= 0.0
    assert batch.truth.max() > 0.0
    assert not batch.truth[batch.roi == 0].any()


@pytest.mark.parametrize("kind", ["patches", "images"])
def test_batches_depend_on_seed_and_iteration_alone(images, kind):
    options = small_options()
    first = Batches(images, options, NetworkInput())
    for iteration in range(4):
        getattr(first, kind)(iteration)
    torch.manual_seed(99)
    late = getattr(Batches(images, options, NetworkInput()), kind)(3)
    assert torch.equal(getattr(first, kind)(3).image, late.image)
    other = getattr(Batches(images, small_options(seed=1), NetworkInput()), kind)(3)
    assert not torch.equal(other.image, late.image)


def test_drawing_a_batch_leaves_the_global_generator_alone(images):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    Batches(images, small_options(), NetworkInput()).patches(0)
    assert torch.equal(torch.rand(1), expected)


def test_without_jitter_whole_images_are_what_the_runtime_prepares(images):
    plain = ColourJitter(probability=0.0)
    batches = Batches(images, small_options(colour=plain), NetworkInput())
    seen = batches.images(0).image[0]
    views = []
    for source in images:
        equalized = equalize(source.image, source.roi, small_options().preprocessing)
        normal = (torch.from_numpy(equalized).permute(2, 0, 1) / 255.0 - 0.5) / 0.25
        for turned in (normal, normal.flip(-1)):
            views += [turned.rot90(turns, (-2, -1)) for turns in range(4)]
    assert any(torch.allclose(seen, view, atol=1e-5) for view in views)


def test_an_epoch_takes_each_image_once(images):
    options = small_options(colour=ColourJitter(probability=0.0), geometry=GeometricJitter(warped=0.0))
    batches = Batches(images, options, NetworkInput())
    truths = [batches.images(iteration).truth.sum().item() for iteration in range(3)]
    np.testing.assert_allclose(sorted(truths), sorted(image.truth.sum() / 255 for image in images), rtol=1e-4)


def test_a_variant_serves_several_iterations(images):
    batches = Batches(images, small_options(reuse=3, pool=2), NetworkInput())
    pools = []
    for iteration in range(6):
        batches.patches(iteration)
        pools.append([id(one) for one in batches._variants.window(1, iteration // 3, 2)])
    assert pools[0] == pools[1] == pools[2]
    assert pools[3] == pools[5]
    assert pools[3][0] == pools[0][1], "one is new, the other stays"


def test_whole_images_of_several_cameras_have_one_size(images, tmp_path):
    labelled = load_labelled(find_samples(write_dataset(tmp_path), "training")[0])
    small = crop_for_training(labelled, Preprocessing(working_size=48))
    options = small_options(patch=16, image_batch=4)
    batch = Batches([small, *images], options, NetworkInput()).images(0)
    assert batch.image.shape == (4, 3, 48, 48)
    filled = Batches([small, *images], small_options(patch=32, image_batch=4), NetworkInput()).images(0)
    assert filled.image.shape == (4, 3, 64, 64)


def test_split_then_regroup_gives_the_image_back():
    torch.manual_seed(0)
    image = torch.rand(2, 3, 64, 64)
    patches = split(image, 16)
    assert patches.shape == (32, 3, 16, 16)
    assert torch.equal(patches[1], image[0, :, :16, 16:32])
    assert torch.equal(regroup(patches, 64), image)
