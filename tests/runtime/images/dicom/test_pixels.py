import numpy as np
import pytest
from decoded_dicom import decoded, refusal
from dicom_files import dicom_dataset, dicom_file, written
from drawn_retina import drawn_retina
from image_files import saved
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.pixels import convert_color_space

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.dicom.elements import NATIVE, Elements
from retinagan.runtime.images.dicom.header import WANTED, read_header
from retinagan.runtime.images.dicom.pixels import MOST_FRAMES, check_header, count_frames, decode_frame

RGB = drawn_retina(60, 64)[0]
GREY = RGB[..., 1].copy()
DEEP = (GREY * np.uint16(16)).astype(np.uint16)
BIG_ENDIAN = NATIVE[2]
J2K = "1.2.840.10008.1.2.4.91"
YBR = np.ascontiguousarray(convert_color_space(RGB, "RGB", "YBR_FULL"))


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
    above = (DEEP >> np.uint16(1)) | np.uint16(0x4000)
    np.testing.assert_array_equal(decoded(dicom_file(above, **signed))[0], DEEP >> 1)
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


def test_a_tag_that_cannot_be_true_is_found_out():
    for stored in (RGB, YBR):
        elements = Elements(dicom_file(stored, PhotometricInterpretation="YBR_FULL_422"), WANTED, 1 << 24)
        pixels, _, (warning,) = decode_frame(elements.pixel_data(), read_header(elements), 0)
        np.testing.assert_allclose(pixels.astype(int), RGB, atol=2)
        assert warning.code == "colours-guessed"
    bright = RGB[20:40, 22:42].copy()
    assert refusal(dicom_file(bright, PhotometricInterpretation="YBR_FULL_422")) == (
        "the DICOM image's Photometric Interpretation cannot be true (YBR_FULL_422, but no colours are left "
        "out); export the image in RGB"
    )


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
            {"PhotometricInterpretation": "DOE JANE"},  # what stands there by mistake may name a patient
            "the DICOM image has 3 samples per pixel and the photometric interpretation (not one of the "
            "standard's), which is not supported; export the image as MONOCHROME2 or RGB",
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
