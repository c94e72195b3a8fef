import io
import os
import sys

import numpy as np
import pytest
from dicom_files import dicom_file
from image_files import saved, tiff

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.formats import (
    EXPECTED,
    SUFFIXES,
    Look,
    look_at,
    looks_like_an_image,
    plugin_for,
)

RGB = np.zeros((8, 9, 3), np.uint8)
FILES = {
    **{name: saved(RGB, name) for name in ("PNG", "JPEG", "TIFF", "BMP", "PPM", "WEBP", "GIF")},
    "big-endian TIFF": tiff(RGB, ">"),
    "BigTIFF": saved(RGB, "TIFF", big_tiff=True),
}
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0"


@pytest.mark.parametrize("name", FILES)
def test_formats_are_told_by_their_content(name):
    with plugin_for(FILES[name])(io.BytesIO(FILES[name])) as image:
        assert image.size == (9, 8)


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"<svg/>", b"RIFF1234WAVE", b"BTC"])
def test_other_content_is_shown_with_what_is_expected(data):
    with pytest.raises(ImageError) as caught:
        plugin_for(data)
    assert str(caught.value) == (f"not an image that can be read (it begins with {data[:8]!r}); {EXPECTED}")


def test_heic_needs_a_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError) as caught:
        plugin_for(HEIC)
    assert str(caught.value) == ('HEIC needs pillow-heif: pip install "retinagan[heic]", or save it as PNG')


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_known_extension_is_believed(suffix):
    assert looks_like_an_image(f"folder/image{suffix}")
    assert looks_like_an_image(f"folder/IMAGE{suffix.upper()}")


@pytest.mark.parametrize("name", ["image", "0001.2", "1.2.840.10008"])
def test_without_one_the_content_decides(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(FILES["PNG"])
    assert looks_like_an_image(str(path))
    path.write_bytes(b"a text of some length, no image")
    assert not looks_like_an_image(str(path))
    path.write_bytes(b"\x89PNG")
    assert not looks_like_an_image(str(path))


def test_another_extension_is_believed_of_all_but_dicom(tmp_path):
    path = tmp_path / "image.txt"
    path.write_bytes(FILES["PNG"])
    assert not looks_like_an_image(str(path))


def test_what_is_no_file_is_not_opened(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe", "gone"):
        assert not looks_like_an_image(str(tmp_path / name))


@pytest.mark.parametrize("name", ["IM0001", "a.dcm", "a.IMA", "1.2.840.1", "notes.txt"])
def test_dicom_photographs_are_found_whatever_their_extension(tmp_path, name):
    (tmp_path / name).write_bytes(dicom_file(RGB))
    assert look_at(str(tmp_path / name)) == Look(True)


def test_dicom_objects_that_are_no_photographs_are_named(tmp_path):
    path = tmp_path / "a.dcm"
    path.write_bytes(dicom_file(SOPClassUID="1.2.840.10008.5.1.4.1.1.66.4"))
    assert look_at(str(path)) == Look(False, "1.2.840.10008.5.1.4.1.1.66.4")
    path.write_bytes(dicom_file(RGB, SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.5.5"))
    assert look_at(str(path)) == Look(True)  # a photograph that is refused, not passed over


def test_what_is_called_a_dicom_file_is_not_lost_in_silence(tmp_path):
    for name in ("empty.dcm", "EMPTY.DICOM"):
        (tmp_path / name).touch()
        assert look_at(str(tmp_path / name)) == Look(True)
    (tmp_path / "text.dcm").write_bytes(b"a text of some length, no image")
    assert look_at(str(tmp_path / "text.dcm")) == Look(True)
    assert look_at(str(tmp_path / "empty.txt")) == Look(False)
