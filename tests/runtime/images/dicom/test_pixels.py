import numpy as np
import pytest
from dicom_files import dicom_dataset, dicom_file, written
from drawn_retina import drawn_retina
from image_files import saved
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.pixels import convert_color_space, get_encoder
from pydicom.uid import UID

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.dicom.elements import NATIVE, Elements
from retinagan.runtime.images.dicom.header import WANTED, read_header
from retinagan.runtime.images.dicom.pixels import MOST_FRAMES, check_header, count_frames, decode_frame
from retinagan.runtime.images.reading import read_image

RGB = drawn_retina(60, 64)[0]
GREY = RGB[..., 1].copy()
DEEP = (GREY * np.uint16(16)).astype(np.uint16)
IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED = NATIVE
RLE, JPEG, EXTENDED = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
LOSSLESS, JPEG_LS = "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80"
J2K_LOSSLESS, J2K, HTJ2K = (f"1.2.840.10008.1.2.4.{number}" for number in (90, 91, 201))
YBR = np.ascontiguousarray(convert_color_space(RGB, "RGB", "YBR_FULL"))


def decoded(data, index=0, most=10_000_000):
    elements = Elements(data, WANTED, 1 << 24)
    header = read_header(elements)
    check_header(header, most)
    return decode_frame(elements.pixel_data(), header, index)


def refusal(data, **options):
    with pytest.raises(ImageError) as caught:
        decoded(data, **options)
    return str(caught.value)


def run_lengths(array):
    """The frame as pydicom compresses it by RLE."""
    colour = array.ndim == 3
    return get_encoder(UID(RLE)).encode(
        array.tobytes(),
        rows=array.shape[0],
        columns=array.shape[1],
        samples_per_pixel=3 if colour else 1,
        number_of_frames=1,
        bits_allocated=8 * array.dtype.itemsize,
        bits_stored=8 * array.dtype.itemsize,
        pixel_representation=0,
        photometric_interpretation="RGB" if colour else "MONOCHROME2",
        planar_configuration=0,
    )


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("array", [RGB, GREY, DEEP])
def test_pixels_that_are_not_compressed(syntax, array):
    stored = array.astype(array.dtype.newbyteorder(">")) if syntax == BIG_ENDIAN else array
    pixels, bits = decoded(dicom_file(stored, syntax=syntax))
    np.testing.assert_array_equal(pixels, array)
    assert (pixels.dtype, bits) == (array.dtype, 8 * array.dtype.itemsize)
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable


def test_colours_in_planes():
    planes = RGB.transpose(2, 0, 1).copy()
    data = dicom_file(RGB, PlanarConfiguration=1, PixelData=planes.tobytes())
    np.testing.assert_array_equal(decoded(data)[0], RGB)


def test_each_frame_by_its_number():
    frames = np.stack([RGB, RGB[::-1], RGB[:, ::-1]])
    for index in range(3):
        np.testing.assert_array_equal(decoded(dicom_file(frames), index)[0], frames[index])


@pytest.mark.parametrize("stored", [9, 10, 12, 14])
def test_bits_stored_are_those_in_use(stored):
    array = (GREY.astype(np.uint16) << (stored - 8)) + 1
    pixels, bits = decoded(dicom_file(array, BitsStored=stored, HighBit=stored - 1))
    np.testing.assert_array_equal(pixels, array)
    assert bits == stored


def test_bits_above_those_in_use_are_left_out():
    overlay = DEEP | np.uint16(0x8000)
    np.testing.assert_array_equal(decoded(dicom_file(overlay, BitsStored=12, HighBit=11))[0], DEEP)
    high = (DEEP << np.uint16(4)) | np.uint16(5)
    np.testing.assert_array_equal(decoded(dicom_file(high, BitsStored=12, HighBit=15))[0], DEEP)


def test_eight_bits_stored_in_sixteen():
    pixels, bits = decoded(dicom_file(GREY.astype(np.uint16), BitsStored=8, HighBit=7))
    np.testing.assert_array_equal(pixels, GREY)
    assert (pixels.dtype, bits) == (np.uint8, 8)


@pytest.mark.parametrize("stored", [1, 4, 7])
def test_fewer_than_eight_bits_become_eight(stored):
    array = GREY >> (8 - stored)
    pixels, bits = decoded(dicom_file(array, BitsStored=stored, HighBit=stored - 1))
    np.testing.assert_array_equal(pixels, array.astype(np.uint16) * 255 // ((1 << stored) - 1))
    assert bits == 8


def test_one_bit_a_pixel_becomes_black_and_white():
    frames = np.stack([GREY > 90, GREY > 20])
    packed = np.packbits(frames, bitorder="little").tobytes()
    data = dicom_file(
        frames.view(np.uint8),
        BitsAllocated=1,
        BitsStored=1,
        HighBit=0,
        PixelData=packed + b"\0" * (len(packed) % 2),
    )
    np.testing.assert_array_equal(decoded(data, 1)[0], np.where(frames[1], 255, 0))


def test_white_is_zero_in_monochrome_1():
    np.testing.assert_array_equal(
        decoded(dicom_file(255 - GREY, PhotometricInterpretation="MONOCHROME1"))[0], GREY
    )
    data = dicom_file(4095 - DEEP, PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(decoded(data)[0], DEEP)


def test_signed_values_are_read_unless_negative():
    signed = {"PixelRepresentation": 1, "BitsStored": 12, "HighBit": 11}
    np.testing.assert_array_equal(decoded(dicom_file(DEEP >> np.uint16(1), **signed))[0], DEEP >> 1)
    assert refusal(dicom_file(DEEP * np.uint16(2), **signed)) == (
        "the DICOM image has negative values; export the image as MONOCHROME2 or RGB"
    )


def test_luminance_and_chrominance_become_rgb():
    pixels, _ = decoded(dicom_file(YBR, PhotometricInterpretation="YBR_FULL"))
    np.testing.assert_allclose(pixels.astype(int), RGB, atol=2)


def test_chrominance_of_half_the_width_becomes_rgb():
    pairs = YBR.reshape(60, 32, 2, 3)
    halved = np.stack([pairs[:, :, 0, 0], pairs[:, :, 1, 0], pairs[:, :, 0, 1], pairs[:, :, 0, 2]], axis=-1)
    data = dicom_file(RGB, PhotometricInterpretation="YBR_FULL_422", PixelData=halved.tobytes())
    assert np.median(np.abs(decoded(data)[0].astype(int) - RGB)) <= 2


def test_a_palette_is_looked_up():
    table = np.random.default_rng(0).integers(0, 256, (256, 3), np.uint8)
    attributes = {
        f"{colour}PaletteColorLookupTableData": table[:, number].tobytes()
        for number, colour in enumerate(("Red", "Green", "Blue"))
    }
    attributes["RedPaletteColorLookupTableDescriptor"] = [256, 0, 8]
    data = dicom_file(GREY, PhotometricInterpretation="PALETTE COLOR", **attributes)
    np.testing.assert_array_equal(decoded(data)[0], table[GREY])
    assert refusal(dicom_file(GREY, PhotometricInterpretation="PALETTE COLOR")) == (
        "the DICOM image's palette is missing or segmented; export the image in RGB"
    )


@pytest.mark.parametrize("array", [RGB, GREY, DEEP, RGB * np.uint16(200)])
def test_run_lengths(array):
    pixels, _ = decoded(dicom_file(array, frames=[run_lengths(array)], syntax=RLE))
    np.testing.assert_array_equal(pixels, array)


def test_run_lengths_of_ybr():
    data = dicom_file(YBR, frames=[run_lengths(YBR)], syntax=RLE, PhotometricInterpretation="YBR_FULL")
    np.testing.assert_allclose(decoded(data)[0].astype(int), RGB, atol=2)


def test_damaged_run_lengths():
    frame = run_lengths(RGB)
    message = refusal(dicom_file(RGB, frames=[frame[:-300]], syntax=RLE))
    assert message == "truncated (an RLE segment ends too early); copy it again from its source"
    message = refusal(dicom_file(RGB, frames=[run_lengths(GREY)], syntax=RLE))
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
    stored, _ = decoded(dicom_file(RGB, **attributes, PhotometricInterpretation="RGB"))
    assert np.abs(stored.astype(int) - YBR).mean() < 6


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


def test_extended_jpeg_of_12_bits_needs_gdcm(monkeypatch):
    monkeypatch.setattr("pydicom.pixels.decoders.base.Decoder.available_plugins", ("pillow",))
    frame = markers(0xC1, bits=12, components=1)
    message = refusal(dicom_file(DEEP, frames=[frame], syntax=EXTENDED, BitsStored=12, HighBit=11))
    assert "with 12 bits needs python-gdcm" in message


def test_16_bit_colour_in_jpeg_2000_needs_gdcm(monkeypatch):
    monkeypatch.setattr("pydicom.pixels.decoders.base.Decoder.available_plugins", ("pillow",))
    size = b"\0\0" + (64).to_bytes(4, "big") + (60).to_bytes(4, "big") + bytes(24) + b"\0\3" + b"\x0f\1\1" * 3
    frame = b"\xff\x4f\xff\x51" + (len(size) + 2).to_bytes(2, "big") + size + b"\xff\x90\0\x0a" + bytes(8)
    message = refusal(dicom_file(RGB * np.uint16(200), frames=[frame + b"\xff\xd9"], syntax=J2K))
    assert "with 16 bits needs python-gdcm" in message


def test_compressions_that_nothing_decodes_are_named():
    message = refusal(dicom_file(RGB, frames=[b"\0\0\1\xb3" + bytes(60)], syntax="1.2.840.10008.1.2.4.100"))
    assert message == (
        "damaged, or compressed in a way that is not supported (MPEG2 Main Profile / Main Level); "
        "export the image uncompressed"
    )
    message = refusal(dicom_file(RGB, frames=[markers(0xC3)], syntax="1.2.840.10008.1.2.4.92"))
    assert message == (
        "JPEG 2000 Part 2 Multi-component Image Compression (Lossless Only) is not supported; "
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


@pytest.mark.parametrize("table", ["basic", "empty", "extended"])
def test_compressed_frames_are_found_by_their_tables_or_without(table):
    frames = [saved(array, "JPEG2000", no_jp2=True) for array in (RGB, RGB[::-1].copy(), RGB[:, ::-1].copy())]
    attributes = {"PhotometricInterpretation": "YBR_RCT"}
    value = encapsulate(frames, has_bot=table == "basic")
    if table == "extended":
        value, attributes["ExtendedOffsetTable"], attributes["ExtendedOffsetTableLengths"] = (
            encapsulate_extended(frames)
        )
    dataset = dicom_dataset(np.stack([RGB] * 3), **attributes)
    dataset.PixelData = value
    dataset["PixelData"].VR = "OB"
    data = written(dataset, J2K)
    np.testing.assert_array_equal(decoded(data, 1)[0], RGB[::-1])
    np.testing.assert_array_equal(decoded(data, 2)[0], RGB[:, ::-1])


def test_frames_in_several_fragments_are_joined():
    frame = saved(RGB, "JPEG2000", no_jp2=True)
    data = dicom_file(RGB, frames=[frame], syntax=J2K, PhotometricInterpretation="YBR_RCT")
    dataset = dicom_dataset(RGB, PhotometricInterpretation="YBR_RCT")
    dataset.PixelData = encapsulate([frame], fragments_per_frame=3)
    dataset["PixelData"].VR = "OB"
    np.testing.assert_array_equal(decoded(written(dataset, J2K))[0], decoded(data)[0])


def test_files_that_hold_fewer_frames_than_they_declare_are_truncated():
    data = dicom_file(np.stack([GREY, GREY]), NumberOfFrames=3)
    assert refusal(data) == (
        "truncated (the header declares 3 frames, the file holds 2); copy it again from its source"
    )
    frames = [saved(GREY, "JPEG2000", no_jp2=True)] * 2
    assert "declares 3 frames, the file holds 2" in refusal(
        dicom_file(GREY, frames=frames, syntax=J2K, NumberOfFrames=3)
    )
    assert "declares 1 frame, the file holds 0" in refusal(dicom_file(GREY, PixelData=b"\0\0"))


def test_frames_are_counted_without_decoding():
    elements = Elements(dicom_file(np.stack([GREY] * 3)), WANTED, 1 << 24)
    header = read_header(elements)
    assert count_frames(elements.pixel_data(), header) == 3


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            {"Rows": 20_000, "Columns": 20_000},
            "the image has 20000x20000 = 400000000 pixels; expected at most 10000000: make it smaller "
            "or crop it",
        ),
        ({"Rows": 0}, "the DICOM image has no rows or no columns; export the image again"),
        ({"NumberOfFrames": 10_001}, "the DICOM file declares 10001 frames; expected at most 10000"),
        (
            {"SamplesPerPixel": 4},
            "the DICOM image has 4 samples per pixel and the photometric interpretation RGB, which is not "
            "supported; export the image as MONOCHROME2 or RGB",
        ),
        (
            {"PhotometricInterpretation": "MONOCHROME2"},
            "the DICOM image has 3 samples per pixel and the photometric interpretation MONOCHROME2, which "
            "is not supported; export the image as MONOCHROME2 or RGB",
        ),
        (
            {"PhotometricInterpretation": ""},
            "the DICOM image has 3 samples per pixel and the photometric interpretation (none), which is not "
            "supported; export the image as MONOCHROME2 or RGB",
        ),
        (
            {"BitsAllocated": 12},
            "the DICOM image stores 8 bits in 12; expected 1 to 16 bits in 1, 8, 16 or 32",
        ),
        (
            {"BitsStored": 9},
            "the DICOM image stores 9 bits in 8; expected 1 to 16 bits in 1, 8, 16 or 32",
        ),
        ({"HighBit": 3}, "the DICOM image's High Bit is 3; expected 7 for 8 bits"),
    ],
)
def test_headers_are_checked_before_any_pixel(attributes, message):
    data = dicom_file(RGB, **attributes)
    with pytest.raises(ImageError) as caught:
        check_header(read_header(Elements(data, WANTED, 1 << 24)), 10_000_000)
    assert str(caught.value) == message
    assert MOST_FRAMES == 10_000
