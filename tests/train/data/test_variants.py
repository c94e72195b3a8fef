from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from small_dataset import WORKING_SIZE, training_images

from retinagan.runtime.model.parameters import Preprocessing
from retinagan.train.data.colour_jitter import ColourJitter
from retinagan.train.data.variants import IMAGES, PATCHES, DrawOrder, VariantMaker


def drawn(order, count, stream=PATCHES):
    return [order.image(stream, number) for number in range(count)]


def test_a_round_of_one_dataset_takes_each_image_once():
    order = drawn(DrawOrder((5,), (1.0,), 0), 10)
    assert sorted(order[:5]) == sorted(order[5:]) == list(range(5))
    assert order[:5] != order[5:]


def test_small_datasets_are_drawn_from_as_often_as_large_ones():
    counts = Counter("ab"[image >= 2] for image in drawn(DrawOrder((2, 10), (1.0, 1.0), 0), 24))
    assert counts == {"a": 12, "b": 12}


def test_weights_are_shares():
    order = DrawOrder((3, 3), (1.0, 9.0), 0)
    images = Counter(drawn(order, 100))
    assert 8 <= sum(images[image] for image in range(3)) <= 12
    assert all(images[image] for image in range(6))
    few = [images[image] for image in range(3, 6)]
    assert max(few) - min(few) <= 1, "no image of a dataset comes again before all have come"


def test_a_draw_depends_on_seed_stream_and_number_alone():
    order = DrawOrder((4, 7), (1.0, 2.0), 3)
    forth = drawn(order, 30)
    fresh = DrawOrder((4, 7), (1.0, 2.0), 3)
    back = [fresh.image(PATCHES, number) for number in reversed(range(30))]
    assert forth == back[::-1]
    assert drawn(DrawOrder((4, 7), (1.0, 2.0), 4), 30) != forth
    assert drawn(fresh, 30, IMAGES) != forth


def test_weights_of_another_number_are_refused(tmp_path):
    images = training_images(tmp_path)
    before = Preprocessing(working_size=WORKING_SIZE)
    with pytest.raises(
        ValueError, match=r"--weights 1,2: expected one number for each dataset, of which there are 1"
    ):
        VariantMaker(images, (1.0, 2.0), ColourJitter(), before, 0)


def test_a_variant_is_an_equalized_image_with_its_maps(tmp_path):
    images = training_images(tmp_path)
    maker = VariantMaker(images, (), ColourJitter(), Preprocessing(working_size=WORKING_SIZE), 0)
    variant = maker(PATCHES, 7)
    source = next(one for one in images if np.array_equal(one.truth, variant.layers.truth))
    np.testing.assert_array_equal(variant.layers.roi, source.roi * np.uint8(255))
    assert not variant.layers.image[~source.roi].any()
    top, left, bottom, right = variant.box
    assert source.roi[top:bottom, left:right].sum() == source.roi.sum()
    again = maker(PATCHES, 7)
    np.testing.assert_array_equal(again.layers.image, variant.layers.image)


def test_each_draw_has_the_map_of_one_of_the_experts(tmp_path):
    images = training_images(tmp_path)
    before = Preprocessing(working_size=WORKING_SIZE)
    images[0] = replace(images[0], second=255 - images[0].truth)
    alone, both = (
        VariantMaker(some, (), ColourJitter(), before, 0) for some in (training_images(tmp_path), images)
    )
    chosen = Counter()
    for number in range(60):
        variant, same = both(PATCHES, number), alone(PATCHES, number)
        np.testing.assert_array_equal(variant.layers.image, same.layers.image)
        if np.array_equal(variant.layers.truth, same.layers.truth):
            chosen["first" if np.array_equal(same.layers.truth, images[0].truth) else "only"] += 1
        else:
            np.testing.assert_array_equal(variant.layers.truth, images[0].second)
            chosen["second"] += 1
    assert chosen["only"] == 40
    assert min(chosen["first"], chosen["second"]) >= 4
    again = VariantMaker(images, (), ColourJitter(), before, 0)(PATCHES, 7)
    np.testing.assert_array_equal(again.layers.truth, both(PATCHES, 7).layers.truth)
