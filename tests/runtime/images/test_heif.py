import io
import struct

import numpy as np
import pytest

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.heif import check_heif
from retinagan.runtime.images.reading import count_frames, read_image

SHADE = (np.add.outer(2 * np.arange(120), np.arange(160))[..., None] * [0.7, 0.5, 0.2]).astype(np.uint8)
NOISY = np.clip(SHADE + np.random.default_rng(0).normal(0, 12, SHADE.shape), 0, 255).astype(np.uint8)


def box(kind, content):
    return struct.pack(">I", 8 + len(content)) + kind + content


def heic(payload, kind=b"hvc1", version=1, method=0):
    """Return the boxes of a HEIC file that holds one item."""
    infe = box(b"infe", b"\2\0\0\0" + struct.pack(">HH", 1, 0) + kind + b"\0")
    iinf = box(b"iinf", b"\0\0\0\0\0\1" + infe)
    start = 0  # set below, when the length of what comes before is known
    for _ in range(2):
        number = ">I" if version == 2 else ">H"
        item = struct.pack(number, 1) + (struct.pack(">H", method) if version else b"") + bytes(2)
        extent = struct.pack(">H", 1) + struct.pack(">II", start, len(payload))
        iloc = box(b"iloc", bytes([version, 0, 0, 0, 0x44, 0]) + struct.pack(number, 1) + item + extent)
        head = box(b"ftyp", b"heic\0\0\0\0mif1") + box(b"meta", b"\0\0\0\0" + iinf + iloc)
        start = len(head) + 8
    return head + box(b"mdat", payload)


@pytest.mark.parametrize("version", [0, 1, 2])
def test_zeros_within_an_image_are_damage(version):
    check_heif(heic(b"\0\0\3data\0\0\3" * 20, version=version))
    with pytest.raises(ImageError, match=r"^damaged \(zeros within a HEIC image\); copy it again"):
        check_heif(heic(b"data" * 20 + bytes(8) + b"data", version=version))


def test_zeros_of_other_items_and_other_places_are_none():
    check_heif(heic(bytes(64), kind=b"Exif"))
    check_heif(heic(bytes(64), method=1))
    check_heif(heic(b"data" * 4) + bytes(64))


@pytest.mark.parametrize("kept", range(0, 150, 3))
def test_what_ends_early_or_is_no_heic_is_left_to_the_decoder(kept):
    check_heif(heic(b"data" * 4)[:kept])
    check_heif(np.random.default_rng(kept).bytes(100))


class TestRealFiles:
    """Files that pillow-heif writes."""

    @pytest.fixture
    def written(self, tmp_path):
        heif = pytest.importorskip("pillow_heif", reason='needs pip install "retinagan[heic]"')
        image_module = pytest.importorskip("PIL.Image")

        def written(*images, **options):
            file = heif.from_pillow(image_module.fromarray(images[0]))
            for image in images[1:]:
                file.add_from_pillow(image_module.fromarray(image))
            buffer = io.BytesIO()
            file.save(buffer, **options)
            path = tmp_path / "eye.heic"
            path.write_bytes(buffer.getvalue())
            return path

        return written

    def test_a_photograph_is_read(self, written):
        pixels = read_image(written(SHADE, quality=95)).pixels
        assert (pixels.shape, pixels.dtype) == (SHADE.shape, np.uint8)
        assert np.abs(pixels.astype(int) - SHADE).mean() < 2

    def test_its_orientation_is_applied_once(self, written):
        image_module = pytest.importorskip("PIL.Image")
        exif = image_module.Exif()
        exif[274] = 6
        pixels = read_image(written(SHADE, quality=95, exif=exif.tobytes())).pixels
        assert np.abs(pixels.astype(int) - np.rot90(SHADE, -1)).mean() < 2

    def test_of_several_the_first_is_read_with_a_warning(self, written):
        path = written(SHADE, SHADE[:, ::-1].copy(), quality=95)
        assert count_frames(path) == 2
        assert [one.code for one in read_image(path).warnings] == ["first-of-several-frames"]
        second = read_image(path, frame=2)
        assert second.warnings == ()
        assert np.abs(second.pixels.astype(int) - SHADE[:, ::-1]).mean() < 2

    def test_damage_and_truncation_are_found(self, written):
        path = written(NOISY, quality=90)
        data = path.read_bytes()
        assert len(data) > 5000
        for place in np.random.default_rng(0).integers(1500, len(data) - 520, 12):
            path.write_bytes(data[:place] + bytes(512) + data[place + 512 :])
            with pytest.raises(ImageError, match=r"damaged"):
                read_image(path)
        for kept in (len(data) // 3, len(data) - 100):
            path.write_bytes(data[:kept])
            with pytest.raises(ImageError):
                read_image(path)
