from dataclasses import replace

import cv2
import numpy as np
import pytest
from small_dataset import PREPROCESSING, WORKING_SIZE, write_dataset

from retinagan.train.data.files import DataError, find_samples
from retinagan.train.data.images import LabelledImage, crop_for_training, load_labelled, load_training_images


@pytest.fixture
def folder(tmp_path):
    return write_dataset(tmp_path)


def test_labelled_images_hold_what_the_files_hold(folder):
    sample = find_samples(folder, "training")[0]
    labelled = load_labelled(sample)
    assert labelled.image.shape == (100, 96, 3)
    assert labelled.truth.dtype == labelled.fov.dtype == bool
    np.testing.assert_array_equal(labelled.truth, cv2.imread(str(sample.truth), 0) > 0)
    np.testing.assert_array_equal(labelled.fov, cv2.imread(str(sample.fov), 0) > 0)


def test_without_a_mask_file_the_found_retina_is_the_field_of_view(folder):
    with_mask = load_labelled(find_samples(folder, "training")[0])
    found = load_labelled(replace(find_samples(folder, "training")[0], fov=None))
    agreement = (found.fov & with_mask.fov).sum() / (found.fov | with_mask.fov).sum()
    assert agreement > 0.95


def test_maps_of_zeros_and_ones_are_read(folder):
    sample = find_samples(folder, "training")[0]
    expected = load_labelled(sample).truth
    cv2.imwrite(str(sample.truth), expected.astype(np.uint8))
    np.testing.assert_array_equal(load_labelled(sample).truth, expected)


def test_each_bad_file_is_named_at_once(folder):
    samples = find_samples(folder, "training")
    samples[0].image.write_bytes(samples[0].image.read_bytes()[:200])
    cv2.imwrite(str(samples[1].truth), np.zeros((100, 96), np.uint8))
    cv2.imwrite(str(samples[2].truth), np.tile(np.uint8([0, 255]), (50, 20)))
    with pytest.raises(DataError) as caught:
        load_training_images(samples, PREPROCESSING)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("21_training.png: ")
    assert "22_manual1.png: every pixel has the value 0: nothing is drawn" in lines[1]
    assert "23_manual1.png: 40x50 pixels, but its image 23_training.png has 96x100" in lines[2]


def test_an_inverted_map_is_refused(folder):
    sample = find_samples(folder, "training")[0]
    cv2.imwrite(str(sample.truth), ~cv2.imread(str(sample.truth), 0))
    with pytest.raises(DataError, match="of it is vessel, expected more than none and less than half; "):
        load_labelled(sample)


def test_training_images_are_cut_round_the_retina_with_their_map(folder):
    image = load_training_images(find_samples(folder, "training"), PREPROCESSING)[0]
    assert image.image.shape == (WORKING_SIZE, WORKING_SIZE, 3)
    assert image.image.dtype == np.uint8
    assert image.truth.dtype == np.uint8
    assert ((image.truth > 12) & (image.truth < 242)).any(), "a shrunk map is soft"
    assert not image.truth[~image.roi].any()
    # The lines are dark: the map lies on them.
    green = image.image[..., 1].astype(float)
    assert green[image.truth > 150].mean() < 0.8 * green[image.roi & (image.truth == 0)].mean()


def test_an_image_without_retina_is_named():
    black = np.zeros((64, 64, 3), np.uint8)
    mask = np.zeros((64, 64), bool)
    mask[30] = True
    with pytest.raises(DataError, match="night: "):
        crop_for_training(LabelledImage("night", black, mask, ~mask, None), PREPROCESSING)
