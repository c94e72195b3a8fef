import shutil

import cv2
import numpy as np
import pytest
from canon_eye import canon_eye
from drawn_retina import drawn_retina
from other_layouts import as_chase, as_hrf, as_plain, as_stare
from small_dataset import write_dataset

from retinagan.export.proof.images import ImageFolder, named, synthetic_images
from retinagan.runtime.batch.inputs import InputError
from retinagan.runtime.errors import ImageError, NoRetinaError
from retinagan.runtime.model.parameters import Preprocessing
from retinagan.runtime.steps.prepare import prepare
from retinagan.train.data.files import find_samples


def test_a_dataset_gives_its_images_with_truth(dataset):
    folder = ImageFolder(dataset, "test")
    assert folder.has_truth
    assert [path.name for path in folder.find_paths()] == ["0.png", "1.png", "2.png", "3.png"]
    first = next(iter(folder))
    image, lines = drawn_retina(180, 200, angles=(10, 60, 110))
    np.testing.assert_array_equal(first.pixels, image)
    np.testing.assert_array_equal(first.truth, lines)
    assert first.fov.mean() > 0.5


def test_a_dataset_stands_for_one_of_its_halves(dataset, tmp_path):
    shutil.copytree(dataset, tmp_path / "training")
    (tmp_path / "test" / "images").mkdir(parents=True)
    shutil.copy(dataset / "images" / "3.png", tmp_path / "test" / "images")
    assert len(ImageFolder(tmp_path, "training").find_paths()) == 4
    test = ImageFolder(tmp_path, "test")
    assert [path.name for path in test.find_paths()] == ["3.png"]
    assert not test.has_truth
    assert next(iter(test)).truth is None


@pytest.mark.parametrize("lay_out", [as_plain, as_chase, as_stare, as_hrf])
def test_each_layout_gives_the_images_that_its_rule_leaves(tmp_path, lay_out):
    folder = lay_out(write_dataset(tmp_path / "drawn"), tmp_path / "set")
    for split in ("training", "test"):
        found = ImageFolder(folder, split)
        assert found.has_truth
        assert found.find_paths() == [sample.image for sample in find_samples(folder, split)]
        assert next(iter(found)).truth.any()


def test_a_folder_of_images_and_one_image(dataset):
    folder = ImageFolder(dataset / "images", "test")
    assert not folder.has_truth
    assert [image.name for image in folder] == ["0", "1", "2", "3"]
    assert len(ImageFolder(dataset / "images" / "2.png", "test").find_paths()) == 1


def test_the_hash_is_of_the_contents(dataset, tmp_path):
    first = ImageFolder(dataset, "training").sha256()
    shutil.copytree(dataset / "images", tmp_path / "elsewhere")
    assert ImageFolder(tmp_path / "elsewhere", "training").sha256() == first
    (tmp_path / "elsewhere" / "3.png").unlink()
    assert ImageFolder(tmp_path / "elsewhere", "training").sha256() != first


def test_folders_that_cannot_serve(tmp_path):
    with pytest.raises(InputError, match="no images found in "):
        ImageFolder(tmp_path, "test").find_paths()
    with pytest.raises(InputError, match="no such file or folder"):
        ImageFolder(tmp_path / "gone", "test").find_paths()


def test_a_broken_image_is_named_once(tmp_path):
    path = tmp_path / "broken.png"
    path.write_bytes(cv2.imencode(".png", drawn_retina()[0])[1].tobytes()[:2000])
    with pytest.raises(ImageError, match=r"broken\.png") as raised:
        list(ImageFolder(tmp_path, "test"))
    assert str(raised.value).count("broken.png") == 1


def test_naming_keeps_the_kind_of_error():
    error = named(NoRetinaError("no retina"), "dark.png")
    assert isinstance(error, NoRetinaError)
    assert str(error) == "dark.png: no retina"
    assert named(error, "dark.png") is error


def test_the_synthetic_images_are_retinas_of_small_size():
    images = list(synthetic_images())
    assert len(images) == 3
    for image in images:
        prepared = prepare(image.pixels, Preprocessing("none", 5.0, 128))
        assert 0.5 < prepared.retina.mask.mean() < 0.9


def test_a_scrambled_image_is_refused_with_its_file(tmp_path):
    image = canon_eye().image.copy()
    image[300:] = np.random.default_rng(0).integers(0, 256, image[300:].shape)
    cv2.imwrite(str(tmp_path / "eye.png"), image)
    with pytest.raises(ImageError) as caught:
        list(ImageFolder(tmp_path, "training"))
    assert str(caught.value) == (
        f"{tmp_path / 'eye.png'}: colours change from pixel to pixel, as where the data of the picture are "
        "damaged; replace the file, or leave it out"
    )
