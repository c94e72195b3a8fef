import numpy as np
import pytest
from decoded_dicom import decoded, refusal
from dicom_files import dicom_file, rle_frame
from drawn_retina import drawn_retina
from image_files import saved
from pydicom.pixels import convert_color_space

from retinagan.runtime.images.dicom.elements import Elements
from retinagan.runtime.images.dicom.header import WANTED, read_header
from retinagan.runtime.images.dicom.pixels import decode_frame
from retinagan.runtime.images.reading import read_image

RGB = drawn_retina(60, 64)[0]
GREY = RGB[..., 1].copy()
DEEP = (GREY * np.uint16(16)).astype(np.uint16)
RLE, JPEG, EXTENDED = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
LOSSLESS, JPEG_LS = "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80"
J2K_LOSSLESS, J2K = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"
YBR = np.ascontiguousarray(convert_color_space(RGB, "RGB", "YBR_FULL"))


@pytest.mark.parametrize("array", [RGB, GREY, DEEP, RGB * np.uint16(200)])
def test_run_lengths(array):
    pixels, _ = decoded(dicom_file(array, frames=[rle_frame(array)], syntax=RLE))
    np.testing.assert_array_equal(pixels, array)


def test_run_lengths_without_the_bits_that_are_not_in_use():
    stored = DEEP | np.uint16(0x8000)
    data = dicom_file(DEEP, frames=[rle_frame(stored)], syntax=RLE, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(decoded(data)[0], DEEP)


def test_run_lengths_of_ybr():
    data = dicom_file(YBR, frames=[rle_frame(YBR)], syntax=RLE, PhotometricInterpretation="YBR_FULL")
    np.testing.assert_allclose(decoded(data)[0].astype(int), RGB, atol=2)


def test_damaged_rle_frame():
    frame = rle_frame(RGB)
    message = refusal(dicom_file(RGB, frames=[frame[:-300]], syntax=RLE))
    assert message == "truncated (an RLE segment ends too early); copy it again from its source"
    message = refusal(dicom_file(RGB, frames=[rle_frame(GREY)], syntax=RLE))
    assert message == "damaged (1 RLE segments; expected 3); copy it again from its source"


def test_run_lengths_stop_at_the_size_of_the_image():
    bomb = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56) + b"\x81\7" * 1_000_000
    pixels, _ = decoded(dicom_file(GREY, frames=[bomb], syntax=RLE))
    assert (pixels == 7).all()


@pytest.mark.parametrize("array", [RGB, GREY])
@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_jpeg_is_decoded_as_a_file_would_be(array, options, tmp_path):
    frame = saved(array, "JPEG", **options)
    (tmp_path / "a.jpg").write_bytes(frame)
    tag = "YBR_FULL_422" if array.ndim == 3 else "MONOCHROME2"
    pixels, _ = decoded(dicom_file(array, frames=[frame], syntax=JPEG, PhotometricInterpretation=tag))
    np.testing.assert_array_equal(pixels, read_image(tmp_path / "a.jpg").pixels)


def without_jfif(data):
    """A JPEG without its JFIF marker, as many cameras put it into DICOM."""
    assert data[2:4] == b"\xff\xe0"
    return data[:2] + data[4 + int.from_bytes(data[4:6], "big") :]


@pytest.mark.parametrize("tag", ["RGB", "YBR_FULL_422", "YBR_FULL"])
def test_the_colours_that_a_jpeg_declares_count_more_than_a_wrong_tag(tag):
    frame = saved(RGB, "JPEG", quality=95)
    pixels, _ = decoded(dicom_file(RGB, frames=[frame], syntax=JPEG, PhotometricInterpretation=tag))
    assert np.abs(pixels.astype(int) - RGB).mean() < 6


def test_a_jpeg_that_declares_nothing_has_the_colours_of_the_tag():
    as_ybr = without_jfif(saved(RGB, "JPEG", quality=95))
    attributes = {"frames": [as_ybr], "syntax": JPEG}
    pixels, _ = decoded(dicom_file(RGB, **attributes, PhotometricInterpretation="YBR_FULL_422"))
    assert np.abs(pixels.astype(int) - RGB).mean() < 6
    bright = np.ascontiguousarray(YBR[20:36, 22:38])
    as_rgb = without_jfif(saved(bright, "JPEG", quality=95, subsampling=0, keep_rgb=False))
    data = dicom_file(bright, frames=[as_rgb], syntax=JPEG, PhotometricInterpretation="RGB")
    stored, _ = decoded(data)
    assert np.abs(stored.astype(int) - convert_color_space(bright, "RGB", "YBR_FULL")).mean() < 6


def test_a_jpeg_that_declares_nothing_under_a_wrong_tag_is_told_by_its_black():
    as_ybr = without_jfif(saved(RGB, "JPEG", quality=95))
    elements = Elements(dicom_file(RGB, frames=[as_ybr], syntax=JPEG), WANTED, 1 << 24)
    pixels, _, (warning,) = decode_frame(elements.pixel_data(), read_header(elements), 0)
    assert np.abs(pixels.astype(int) - RGB).mean() < 6
    assert warning.code == "colours-guessed"


def test_damage_in_a_jpeg_is_found():
    frame = saved(RGB, "JPEG", quality=95)
    middle = len(frame) * 2 // 3
    damaged = frame[:middle] + b"\0" * 40 + frame[middle + 40 :]
    attributes = {"syntax": JPEG, "PhotometricInterpretation": "YBR_FULL_422"}
    assert refusal(dicom_file(RGB, frames=[damaged], **attributes)).startswith("damaged (")
    assert refusal(dicom_file(RGB, frames=[frame[:middle]], **attributes)).startswith("truncated (")


@pytest.mark.parametrize("array", [RGB, GREY, DEEP])
@pytest.mark.parametrize("options", [{"no_jp2": True}, {}])
def test_jpeg_2000(array, options):
    frame = saved(array, "JPEG2000", **options)
    attributes = {"PhotometricInterpretation": "YBR_RCT"} if array.ndim == 3 else {}
    pixels, bits = decoded(dicom_file(array, frames=[frame], syntax=J2K_LOSSLESS, **attributes))
    np.testing.assert_array_equal(pixels, array)
    assert bits == 8 * array.dtype.itemsize


@pytest.mark.parametrize("tag", ["RGB", "YBR_FULL", "YBR_ICT", "YBR_RCT"])
def test_the_transform_of_jpeg_2000_counts_more_than_a_wrong_tag(tag):
    frame = saved(RGB, "JPEG2000", no_jp2=True, mct=1)
    pixels, _ = decoded(dicom_file(RGB, frames=[frame], syntax=J2K, PhotometricInterpretation=tag))
    np.testing.assert_array_equal(pixels, RGB)


def test_jpeg_2000_without_a_transform_has_the_colours_of_the_tag():
    frame = saved(YBR, "JPEG2000", no_jp2=True)
    pixels, _ = decoded(dicom_file(RGB, frames=[frame], syntax=J2K, PhotometricInterpretation="YBR_FULL"))
    np.testing.assert_allclose(pixels.astype(int), RGB, atol=2)


def test_a_byte_after_the_end_of_jpeg_2000_is_no_harm():
    frame = saved(GREY, "JPEG2000", no_jp2=True)
    pixels, _ = decoded(dicom_file(GREY, frames=[frame + b"\xff"], syntax=J2K))
    np.testing.assert_array_equal(pixels, GREY)


def test_jpeg_2000_of_more_bits_than_are_in_use():
    frame = saved(DEEP, "JPEG2000", no_jp2=True)
    in_use = {"BitsStored": 12, "HighBit": 11}
    pixels, bits = decoded(dicom_file(DEEP, frames=[frame], syntax=J2K, **in_use))
    np.testing.assert_array_equal(pixels, DEEP)
    assert bits == 12
    frame = saved(DEEP * np.uint16(8), "JPEG2000", no_jp2=True)
    pixels, bits = decoded(dicom_file(DEEP, frames=[frame], syntax=J2K, **in_use))
    np.testing.assert_array_equal(pixels, DEEP * np.uint16(8))
    assert bits == 16


def test_a_jpeg_2000_that_does_not_decode_is_damaged():
    frame = saved(RGB, "JPEG2000", no_jp2=True)
    levels = frame.index(b"\xff\x52") + 9
    damaged = frame[:levels] + b"\xff" + frame[levels + 1 :]
    message = refusal(dicom_file(RGB, frames=[damaged], syntax=J2K))
    assert message.startswith("damaged (pillow: ")
    assert message.endswith("); copy it again from its source")
    assert "\n" not in message


def test_a_truncated_jpeg_2000_is_found():
    frame = saved(RGB, "JPEG2000", no_jp2=True)
    assert refusal(dicom_file(RGB, frames=[frame[:-200]], syntax=J2K)) == (
        "truncated (no end-of-codestream marker); copy it again from its source"
    )


def markers(kind, bits=8, components=3):
    """The frame header of a JPEG of a kind that Pillow does not decode."""
    content = bytes([bits]) + b"\0\x3c\0\x40" + bytes([components]) + b"\1\x11\0" * components
    return b"\xff\xd8\xff" + bytes([kind]) + (len(content) + 2).to_bytes(2, "big") + content + bytes(40)


@pytest.mark.parametrize(
    ("frame", "syntax", "name"),
    [
        (markers(0xC3), LOSSLESS, "JPEG Lossless, Non-Hierarchical, First-Order Prediction"),
        (markers(0xF7), JPEG_LS, "JPEG-LS Lossless Image Compression"),
    ],
)
def test_what_needs_gdcm_says_so(frame, syntax, name, monkeypatch):
    monkeypatch.setattr("pydicom.pixels.decoders.base.Decoder.available_plugins", ("pillow",))
    message = refusal(dicom_file(RGB, frames=[frame], syntax=syntax))
    assert message.startswith(name)
    assert message.endswith(" needs python-gdcm: pip install python-gdcm, or export the image uncompressed")


def test_extended_jpeg_of_12_bits_is_refused():
    frame = markers(0xC1, bits=12, components=1)
    message = refusal(dicom_file(DEEP, frames=[frame], syntax=EXTENDED, BitsStored=12, HighBit=11))
    assert message == (
        "JPEG Extended (Process 2 and 4) of 12 bits is not supported; export the image uncompressed"
    )


def test_16_bit_colour_in_jpeg_2000_needs_gdcm(monkeypatch):
    monkeypatch.setattr("pydicom.pixels.decoders.base.Decoder.available_plugins", ("pillow",))
    size = b"\0\0" + (64).to_bytes(4, "big") + (60).to_bytes(4, "big") + bytes(24) + b"\0\3" + b"\x0f\1\1" * 3
    frame = b"\xff\x4f\xff\x51" + (len(size) + 2).to_bytes(2, "big") + size + b"\xff\x90\0\x0a" + bytes(8)
    message = refusal(dicom_file(RGB * np.uint16(200), frames=[frame + b"\xff\xd9"], syntax=J2K))
    assert "of 16 bits needs python-gdcm" in message


def test_compressions_that_nothing_decodes_are_named():
    message = refusal(dicom_file(RGB, frames=[b"\0\0\1\xb3" + bytes(60)], syntax="1.2.840.10008.1.2.4.100"))
    assert message == (
        "damaged, or compressed in a way that is not supported (MPEG2 Main Profile / Main Level); "
        "export the image uncompressed"
    )
    message = refusal(dicom_file(RGB, frames=[markers(0xC3)], syntax="1.2.840.10008.1.2.4.92"))
    assert message == (
        "JPEG 2000 Part 2 Multi-component Image Compression (Lossless Only) of 8 bits is not supported; "
        "export the image uncompressed"
    )


def test_frames_that_zeiss_scrambles_are_refused_by_name():
    message = refusal(
        dicom_file(RGB, frames=[b"\x12\x34" * 50], syntax=J2K, Manufacturer="Carl Zeiss Meditec")
    )
    assert message.startswith("a ZEISS file with scrambled frames")


def test_a_frame_must_have_the_size_that_the_header_declares():
    frame = saved(RGB[:50].copy(), "JPEG")
    message = refusal(dicom_file(RGB, frames=[frame], syntax=JPEG, PhotometricInterpretation="YBR_FULL_422"))
    assert message == (
        "damaged (a frame has 64x50 pixels and 3 colours; the header declares 64x60 and 3); "
        "copy it again from its source"
    )
    deep = saved(DEEP, "JPEG2000")
    message = refusal(dicom_file(GREY, frames=[deep], syntax=J2K))
    assert message == "damaged (a frame of 16 bits; the header declares 8); copy it again from its source"
