from dataclasses import replace

import cv2
import numpy as np
import pytest
from canon_eye import canon_eye
from PIL import Image
from small_dataset import PREPROCESSING, WORKING_SIZE, add_second_expert, write_dataset

from retinagan.train.data.files import DataError, find_samples
from retinagan.train.data.images import (
    LabelledImage,
    crop_for_training,
    images_sha256,
    load_labelled,
    load_training_images,
)


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


@pytest.fixture(scope="module")
def eyes(tmp_path_factory):
    """Two synthetic eyes, whose vessels have no symmetry, with their maps and masks."""
    folder = tmp_path_factory.mktemp("eyes")
    for name in ("images", "labels", "masks"):
        (folder / name).mkdir()
    for seed in (20, 21):
        eye = canon_eye(seed)
        for name, picture in (
            ("images", eye.image),
            ("labels", eye.vessels * np.uint8(255)),
            ("masks", eye.roi * np.uint8(255)),
        ):
            Image.fromarray(picture).save(folder / name / f"eye{seed}.png")
    return find_samples(folder, "all")


def test_a_map_that_fits_another_image_is_refused(eyes):
    with pytest.raises(DataError, match=r"eye21\.png: what is drawn does not lie on the image's vessels"):
        load_labelled(replace(eyes[0], truth=eyes[1].truth))


def test_the_second_experts_map_is_held_to_the_same(eyes):
    assert load_labelled(replace(eyes[0], second=eyes[0].truth)).second.any()
    for path, message in (
        (eyes[1].truth, "does not lie on the image's vessels"),
        (eyes[0].fov, "of it is vessel, expected more than none"),
    ):
        with pytest.raises(DataError, match=f"{path.parent.name}/{path.name}: .*{message}"):
            load_labelled(replace(eyes[0], second=path))


def oriented(image, path, orientation):
    """Save an image so that a program that heeds EXIF shows it upright, and others turned."""
    turn = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(image).transpose(turn[orientation]).save(path, exif=exif, quality=95)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_image_and_map_are_both_turned_by_their_exif_orientation(eyes, tmp_path, orientation):
    upright = load_labelled(eyes[0])
    image, truth = tmp_path / "image.jpg", tmp_path / "truth.jpg"
    oriented(upright.image, image, orientation)
    oriented(upright.truth * np.uint8(255), truth, orientation)
    found = load_labelled(replace(eyes[0], image=image, truth=truth))
    assert found.image.shape == upright.image.shape
    assert (found.truth != upright.truth).mean() < 0.01


def test_a_map_that_is_drawn_on_the_image_as_stored_is_refused(eyes, tmp_path):
    upright = load_labelled(eyes[0])
    image, as_stored = tmp_path / "image.jpg", tmp_path / "truth.png"
    oriented(upright.image, image, 6)
    Image.fromarray(np.rot90(upright.truth) * np.uint8(255)).save(as_stored)
    with pytest.raises(DataError, match=r"584x565 pixels, but its image image\.jpg has 565x584: turn it"):
        load_labelled(replace(eyes[0], image=image, truth=as_stored))
    oriented(upright.image, image, 3)
    Image.fromarray(np.rot90(upright.truth, 2) * np.uint8(255)).save(as_stored)
    with pytest.raises(DataError, match="if it is turned by 180 degrees; turn the map like the image"):
        load_labelled(replace(eyes[0], image=image, truth=as_stored))


def test_the_digest_of_training_images_is_that_of_their_pixels_and_names(folder):
    images = load_training_images(find_samples(folder, "training"), PREPROCESSING)
    digest = images_sha256(images)
    assert images_sha256(images) == digest
    assert len(digest) == 64
    for change in (
        {"truth": 255 - images[0].truth},
        {"image": images[0].image + np.uint8(1)},
        {"roi": ~images[0].roi},
        {"name": "other"},
    ):
        assert images_sha256([replace(images[0], **change), *images[1:]]) != digest
    assert images_sha256(images[::-1]) != digest


def test_a_second_expert_is_learned_from_where_asked_for(folder):
    add_second_expert(folder, 21)
    samples = find_samples(folder, "training")
    alone, both = (load_training_images(samples, PREPROCESSING, both=both) for both in (False, True))
    assert [image.second is None for image in alone + both] == [True] * 3 + [False, True, True]
    upper, lower = both[0].second[:30], both[0].second[50:]
    np.testing.assert_array_equal(upper, both[0].truth[:30])
    assert both[0].truth[50:].any()
    assert not lower.any()
    assert images_sha256(alone) != images_sha256(both)
    assert images_sha256(alone) == images_sha256([replace(image, second=None) for image in both])


def test_a_scrambled_image_is_refused_and_a_doubtful_one_named(eyes, tmp_path, capsys):
    image = np.asarray(Image.open(eyes[0].image)).copy()
    Image.fromarray(image).save(
        tmp_path / "two.tif", save_all=True, append_images=[Image.fromarray(image)], compression="tiff_lzw"
    )
    load_labelled(replace(eyes[0], image=tmp_path / "two.tif"))
    assert capsys.readouterr().err == (
        f"warning: {tmp_path / 'two.tif'}: first-of-several-frames: the file holds 2 images of full size; "
        "this is the first\n"
    )
    image[300:] = np.random.default_rng(0).integers(0, 256, image[300:].shape)
    Image.fromarray(image).save(tmp_path / "scrambled.png")
    with pytest.raises(
        DataError, match=r"scrambled\.png: colours change from pixel to pixel, .*; replace the"
    ):
        load_labelled(replace(eyes[0], image=tmp_path / "scrambled.png"))
