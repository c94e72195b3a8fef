import numpy as np
import pytest
from PIL import Image

from retinagan.export.proof_images import drawn_retina, noise_patches, patches_of, patches_of_files
from retinagan.runtime.errors import ImageError
from retinagan.runtime.inputs import InputError
from retinagan.runtime.prepare import prepare
from retinagan.runtime.roi import find_retina
from retinagan.runtime.spec import ModelSpec, NetworkInput, Preprocessing, Tiling

SPEC = ModelSpec(
    "small",
    "small.onnx",
    "fp32",
    0.5,
    preprocessing=Preprocessing("ace", 5.0, 128),
    network_input=NetworkInput((0.4, 0.5, 0.6), (0.2, 0.3, 0.4), 8),
    tiling=Tiling(16, 0.0),
)


def test_the_drawn_retina_is_one_to_the_runtime():
    image = drawn_retina(200)
    rows, columns = np.mgrid[:200, :200]
    disc = np.hypot(rows - 100, columns - 100) < 92
    mask = find_retina(image).mask
    assert (mask & disc).sum() / (mask | disc).sum() > 0.97


def test_the_drawn_retina_has_lines_and_is_always_the_same():
    image = drawn_retina()
    np.testing.assert_array_equal(image, drawn_retina())
    assert not np.array_equal(image, drawn_retina(seed=1))
    equalized = prepare(image, Preprocessing()).image[..., 1]
    assert 0.01 < (equalized[156:356, 156:356] < 100).mean() < 0.2


def test_patches_are_what_the_spec_says():
    image = drawn_retina(200)
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


def test_noise_patches_fit_the_divisor_and_no_image():
    batches = list(noise_patches(16))
    assert {batch.image.shape[0] for batch in batches} == {1, 3}
    for batch in batches:
        count, _, height, width = batch.image.shape
        assert batch.roi.shape == (count, 1, height, width)
        assert height != width
        assert height % 16 == width % 16 == 0
        assert set(np.unique(batch.roi)) == {0.0, 1.0}


def test_every_image_of_a_folder(tmp_path):
    for index in range(2):
        Image.fromarray(drawn_retina(150, seed=index)).save(tmp_path / f"{index}.png")
    (tmp_path / "notes.txt").write_text("no image")
    first, second = patches_of_files(tmp_path, SPEC)
    np.testing.assert_array_equal(first.image, patches_of(drawn_retina(150, seed=0), SPEC).image)
    assert not np.array_equal(first.image, second.image)


def test_a_folder_without_images(tmp_path):
    with pytest.raises(InputError, match="no images in "):
        list(patches_of_files(tmp_path, SPEC))


@pytest.mark.parametrize("kind", ["black", "truncated"])
def test_a_useless_image_is_named(tmp_path, kind):
    path = tmp_path / "useless.png"
    Image.fromarray(drawn_retina(150) * np.uint8(kind != "black")).save(path)
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ImageError, match=r"useless\.png: ") as raised:
        list(patches_of_files(tmp_path, SPEC))
    assert str(raised.value).count("useless.png") == 1
