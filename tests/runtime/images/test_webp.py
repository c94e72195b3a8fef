import io

import numpy as np
import pytest
from image_files import saved
from PIL import Image

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.reading import read_image
from retinagan.runtime.images.webp import check_webp, shortened, webp_size

NOISE = np.random.default_rng(0).integers(0, 256, (90, 110, 3), np.uint8)
SHADE = (np.add.outer(2 * np.arange(90), np.arange(110))[..., None] * [0.9, 0.6, 0.3]).astype(np.uint8)
LOSSLESS, LOSSY = saved(NOISE, "WEBP", lossless=True), saved(NOISE, "WEBP", quality=80)
AGAIN = "copy it again from its source"


def decodes(data):
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    except OSError:
        return False
    return True


def refused(data) -> str:
    with pytest.raises(ImageError) as caught:
        check_webp(data)
    return str(caught.value)


@pytest.mark.parametrize("data", [LOSSLESS, LOSSLESS + b"more", LOSSY, LOSSY + b"more"])
def test_whole_files_pass(data):
    check_webp(data)
    assert webp_size(data) == (110, 90)


def test_the_size_of_a_file_with_alpha():
    assert webp_size(saved(np.dstack([NOISE, NOISE[..., :1]]), "WEBP", quality=80)) == (110, 90)


@pytest.mark.parametrize("kept", [12, len(LOSSLESS) // 2, len(LOSSLESS) - 1])
def test_a_file_that_ends_early(kept):
    message = f"truncated (the WebP file is shorter than its header says); {AGAIN}"
    assert refused(LOSSLESS[:kept]) == message


def test_zeros_within_lossless_data(tmp_path):
    (tmp_path / "x.webp").write_bytes(LOSSLESS[:5000] + bytes(512) + LOSSLESS[5512:])
    with pytest.raises(ImageError, match=AGAIN):
        read_image(tmp_path / "x.webp")


@pytest.mark.parametrize("effort", [0, 4])
@pytest.mark.parametrize("width", range(90, 110, 3))
def test_sound_lossless_images_of_even_and_odd_length_are_read(tmp_path, width, effort):
    """Fast encoders write a margin as long runs of zeros."""
    image = np.pad(
        np.dstack([SHADE, np.full_like(SHADE[..., :1], 255)])[:, :width], ((0, 60), (0, 60), (0, 0))
    )
    (tmp_path / "x.webp").write_bytes(saved(image, "WEBP", lossless=True, method=effort, exact=True))
    assert (read_image(tmp_path / "x.webp").pixels == image[..., :3]).all()


@pytest.mark.parametrize("image", [NOISE, SHADE, SHADE[:1, :1], SHADE[:40, :3], np.zeros_like(SHADE)])
@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 5}, {"quality": 80}, {"quality": 100}])
def test_no_sound_image_can_be_decoded_without_its_last_bytes(image, options):
    data = saved(np.ascontiguousarray(image), "WEBP", **options)
    assert decodes(data)
    assert not [cut for cut in shortened(data) if decodes(cut)]


def test_both_partitions_of_a_lossy_image_are_shortened():
    assert len(list(shortened(LOSSY))) == 2
    assert len(list(shortened(LOSSLESS))) == 1
    assert len(list(shortened(saved(np.dstack([NOISE, NOISE[..., :1]]), "WEBP", quality=80)))) == 2


def test_animations_are_not_shortened():
    frames = [Image.fromarray(NOISE), Image.fromarray(SHADE)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:])
    assert list(shortened(buffer.getvalue())) == []


@pytest.mark.parametrize("fill", ["zeros", "random"])
def test_damage_of_lossy_data_is_found_by_what_is_left_over(tmp_path, fill):
    path, random, found = tmp_path / "image.webp", np.random.default_rng(0), 0
    for place in random.integers(100, len(LOSSY) - 520, 20):
        patch = bytes(512) if fill == "zeros" else random.bytes(512)
        path.write_bytes(LOSSY[:place] + patch + LOSSY[place + 512 :])
        try:
            read_image(path)
        except ImageError:
            found += 1
    assert found >= 19
    path.write_bytes(LOSSY)
    assert read_image(path).pixels.shape == (90, 110, 3)


@pytest.mark.parametrize("kept", range(12, 60, 7))
def test_headers_that_end_early_are_no_crash(kept):
    assert all(isinstance(cut, bytes) for cut in shortened(LOSSY[:kept]))
